import { defineGroup } from '#libs/cli';
import { tokenCreate } from './create.js';
import { tokenList } from './list.js';
import { tokenRevoke } from './revoke.js';

export const tokenGroup = defineGroup({
  name: 'token',
  summary: 'tokens of users and robots',
  commands: [tokenCreate, tokenList, tokenRevoke],
});
