import { defineGroup } from '#libs/cli';
import { sifAdd } from './add.js';
import { sifDel } from './del.js';
import { sifDump } from './dump.js';
import { sifHeader } from './header.js';
import { sifInfo } from './info.js';
import { sifList } from './list.js';
import { sifNew } from './new.js';
import { sifSetprim } from './setprim.js';

export const sifGroup = defineGroup({
  name: 'sif',
  summary: 'look into image files and change them',
  commands: [sifAdd, sifDel, sifDump, sifHeader, sifInfo, sifList, sifNew, sifSetprim],
});
