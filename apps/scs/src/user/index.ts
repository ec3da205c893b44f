import { defineGroup } from '#libs/cli';
import { userAdd } from './add.js';
import { userChange } from './change.js';
import { userDisable, userEnable } from './disable.js';
import { userList } from './list.js';
import { userPasswd } from './passwd.js';
import { userShow } from './show.js';

export const userGroup = defineGroup({
  name: 'user',
  summary: 'accounts',
  commands: [userAdd, userList, userShow, userChange, userPasswd, userDisable, userEnable],
});
