import { defineGroup } from '#libs/cli';
import { robotAdd } from './add.js';
import { robotChange, robotDisable, robotEnable } from './change.js';
import { robotList } from './list.js';

export const robotGroup = defineGroup({
  name: 'robot',
  summary: 'accounts of an organisation for its machines',
  commands: [robotAdd, robotList, robotChange, robotDisable, robotEnable],
});
