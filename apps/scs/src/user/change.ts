import { defineCommand, jsonFlag } from '#libs/cli';
import { DomainError } from '#libs/core';
import { isYes, YES_NO } from '../flags.js';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';

export const userChange = defineCommand({
  name: 'change',
  summary: 'change the e-mail address, the display name or the rank of an account',
  description:
    'What is not given stays as it is. Who owns the account changes address and name with --as; the rank is for administrators. Tokens carry name and address as they were when the token was made.',
  positionals: [{ name: 'username', summary: 'the account' }],
  flags: {
    email: { type: 'string', value: 'ADDRESS', summary: "e-mail address; '' removes it" },
    'display-name': { type: 'string', value: 'NAME', summary: 'name as people write it' },
    administrator: {
      type: 'string',
      value: 'YES|NO',
      choices: YES_NO,
      summary: 'whether its tokens may have the scope admin: yes or no',
    },
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'scs user change --email alice@example.org alice', summary: 'as the administrator' },
    { line: 'scs user change --administrator yes alice', summary: 'make an administrator' },
    { line: 'scs user change --as alice --display-name "Alice A." alice', summary: 'the own account' },
  ],
  async run(ctx) {
    const { email, administrator } = ctx.flags;
    const displayName = ctx.flags['display-name'];
    if (email === undefined && displayName === undefined && administrator === undefined)
      throw new DomainError('bad_request', 'Expected something to change', {
        remedy: 'Give --email, --display-name or --administrator',
      });
    const signIn = await readSignIn(ctx, ctx.flags);
    const user = await withInstance(ctx, ({ auth }) =>
      auth(signIn).changeUser(ctx.args.username, {
        ...(email === undefined ? {} : { email }),
        ...(displayName === undefined ? {} : { displayName }),
        ...(administrator === undefined ? {} : { administrator: isYes(administrator) }),
      }),
    );
    ctx.log.info(`Changed the account ${user.username}`);
    if (ctx.flags.json) ctx.out.json({ users: [user] });
  },
});
