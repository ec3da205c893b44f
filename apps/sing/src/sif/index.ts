import { defineGroup } from '#libs/cli';
import { sifDump } from './dump.js';
import { sifHeader } from './header.js';
import { sifInfo } from './info.js';
import { sifList } from './list.js';

export const sifGroup = defineGroup({
  name: 'sif',
  summary: 'look into image files',
  commands: [sifDump, sifHeader, sifInfo, sifList],
});
