import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../../instance.js';
import { readSignIn, signInFlags } from '../../passwords.js';

export const memberList = defineCommand({
  name: 'list',
  summary: 'list the members of an organisation',
  positionals: [{ name: 'organisation', summary: 'the organisation' }],
  flags: { ...signInFlags, ...jsonFlag },
  examples: [{ line: 'scs org member list physics', summary: 'with their roles' }],
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const members = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.members(ctx.args.organisation),
    );
    if (ctx.flags.json) {
      ctx.out.json({ members });
      return;
    }
    ctx.out.table(
      ['USERNAME', 'ROLE', 'SINCE'],
      members.map(({ username, role, since }) => [username, role, since]),
    );
  },
});
