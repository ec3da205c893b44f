import { defineGroup } from '#libs/cli';
import { userAdd } from './add.js';
import { userDisable, userEnable } from './disable.js';
import { userList } from './list.js';

export const userGroup = defineGroup({
  name: 'user',
  summary: 'accounts',
  commands: [userAdd, userList, userDisable, userEnable],
});
