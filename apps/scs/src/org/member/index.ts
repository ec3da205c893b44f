import { defineGroup } from '#libs/cli';
import { memberAdd } from './add.js';
import { memberList } from './list.js';
import { memberRemove } from './remove.js';

export const memberGroup = defineGroup({
  name: 'member',
  summary: 'who belongs to an organisation, and as what',
  commands: [memberAdd, memberList, memberRemove],
});
