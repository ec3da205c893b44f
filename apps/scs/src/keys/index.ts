import { defineGroup } from '#libs/cli';
import { keysBlock } from './block.js';
import { keysBlocked } from './blocked.js';
import { keysCheck } from './check.js';
import { keysExpiring } from './expiring.js';
import { keysExport } from './export.js';
import { keysImport } from './import.js';
import { keysUnblock } from './unblock.js';

export const keysGroup = defineGroup({
  name: 'keys',
  aliases: ['key'],
  summary: 'the keys in the keystore',
  commands: [keysExpiring, keysBlock, keysUnblock, keysBlocked, keysCheck, keysImport, keysExport],
});
