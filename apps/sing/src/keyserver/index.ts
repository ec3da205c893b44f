import { defineGroup } from '#libs/cli';
import { keyServerAdd } from './add.js';
import { keyServerList } from './list.js';
import { keyServerLogin } from './login.js';
import { keyServerLogout } from './logout.js';
import { keyServerRemove } from './remove.js';

export const keyServerGroup = defineGroup({
  name: 'keyserver',
  summary: 'choose which key servers are asked for keys, and log in to them',
  description:
    'A remote brings a key server of its own. Others are asked after it, or before it, until one has an answer. The list is in remote.yaml, which the stock programs use, too.',
  commands: [keyServerAdd, keyServerList, keyServerLogin, keyServerLogout, keyServerRemove],
});
