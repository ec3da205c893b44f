import { defineGroup } from '#libs/cli';
import { dbInit } from './init.js';

export const dbGroup = defineGroup({
  name: 'db',
  summary: 'databases of a site',
  commands: [dbInit],
});
