import { defineGroup } from '#libs/cli';
import { keysRetire } from './retire.js';

export const keysGroup = defineGroup({
  name: 'keys',
  summary: 'the keys that sign tokens',
  commands: [keysRetire],
});
