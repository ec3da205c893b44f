import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { mark } from '../print.js';

export const orgList = defineCommand({
  name: 'list',
  summary: 'list the organisations; with --as those of the user',
  flags: { ...signInFlags, ...jsonFlag },
  examples: [{ line: 'scs org list --as alice', summary: 'to which alice belongs' }],
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const organisations = await withInstance(ctx, ({ auth }) => auth(signIn).organisations.list());
    if (ctx.flags.json) {
      ctx.out.json({ organisations });
      return;
    }
    ctx.out.table(
      ['NAME', 'DISPLAY NAME', 'MEMBERS', 'YOUR ROLE', 'DISABLED', 'CREATED'],
      organisations.map((one) => [
        one.name,
        one.displayName,
        String(one.members),
        one.role ?? '',
        mark(one.disabled),
        one.createdAt,
      ]),
    );
  },
});
