import { defineGroup } from '#libs/cli';
import { keyClaim } from './claim.js';
import { keyDelete } from './delete.js';
import { keyExpiring } from './expiring.js';
import { keyExport } from './export.js';
import { keyHide } from './hide.js';
import { keyImport } from './import.js';
import { keyringGroup } from './keyring/index.js';
import { keyList } from './list.js';
import { keyNewpair } from './newpair.js';
import { keyPull } from './pull.js';
import { keyPush } from './push.js';
import { keyRefresh } from './refresh.js';
import { keyRemove } from './remove.js';
import { keySearch } from './search.js';

export const keyGroup = defineGroup({
  name: 'key',
  aliases: ['keys'],
  summary: 'work with the keys that images are signed with',
  commands: [
    keyClaim,
    keyDelete,
    keyExpiring,
    keyExport,
    keyHide,
    keyImport,
    keyringGroup,
    keyList,
    keyNewpair,
    keyPull,
    keyPush,
    keyRefresh,
    keyRemove,
    keySearch,
  ],
});
