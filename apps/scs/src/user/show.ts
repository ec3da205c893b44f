import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { printUser } from './print.js';

export const userShow = defineCommand({
  name: 'show',
  summary: 'show an account and its roles in organisations',
  positionals: [{ name: 'username', summary: 'the account' }],
  flags: { ...signInFlags, ...jsonFlag },
  examples: [
    { line: 'scs user show alice', summary: 'as the administrator' },
    { line: 'scs user show --as alice alice', summary: 'the own account, by password' },
  ],
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const user = await withInstance(ctx, ({ auth }) => auth(signIn).user(ctx.args.username));
    if (ctx.flags.json) ctx.out.json({ users: [user] });
    else printUser(ctx.out, user);
  },
});
