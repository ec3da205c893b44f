import { defineGroup } from '#libs/cli';
import { remoteAdd } from './add.js';
import { remoteAddKeyServer, remoteRemoveKeyServer } from './deprecated.js';
import { remoteGetLoginPassword } from './get-login-password.js';
import { remoteList } from './list.js';
import { remoteLogin } from './login.js';
import { remoteLogout } from './logout.js';
import { remoteRemove } from './remove.js';
import { remoteStatus } from './status.js';
import { remoteUse } from './use.js';

export const remoteGroup = defineGroup({
  name: 'remote',
  summary: 'work with the sites that offer library, keys and builder',
  commands: [
    remoteAdd,
    remoteGetLoginPassword,
    remoteList,
    remoteLogin,
    remoteLogout,
    remoteRemove,
    remoteStatus,
    remoteUse,
    remoteAddKeyServer,
    remoteRemoveKeyServer,
  ],
});
