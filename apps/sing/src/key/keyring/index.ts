import { defineGroup } from '#libs/cli';
import { keyringAdd } from './add.js';
import { keyringRemove } from './remove.js';
import { keyringShow } from './show.js';

export const keyringGroup = defineGroup({
  name: 'keyring',
  aliases: ['keyrings'],
  summary: 'keyrings of organisations on the key server',
  commands: [keyringAdd, keyringRemove, keyringShow],
});
