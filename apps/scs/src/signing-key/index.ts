import { defineGroup } from '#libs/cli';
import { signingKeyRetire } from './retire.js';

export const signingKeyGroup = defineGroup({
  name: 'signing-key',
  summary: 'the keys that sign tokens',
  commands: [signingKeyRetire],
});
