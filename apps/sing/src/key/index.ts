import { defineGroup } from '#libs/cli';
import { keyExport } from './export.js';
import { keyImport } from './import.js';
import { keyList } from './list.js';
import { keyNewpair } from './newpair.js';
import { keyPull } from './pull.js';
import { keyPush } from './push.js';
import { keyRemove } from './remove.js';
import { keySearch } from './search.js';

export const keyGroup = defineGroup({
  name: 'key',
  aliases: ['keys'],
  summary: 'work with the keys that images are signed with',
  commands: [keyExport, keyImport, keyList, keyNewpair, keyPull, keyPush, keyRemove, keySearch],
});
