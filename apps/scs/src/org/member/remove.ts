import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../../instance.js';
import { readSignIn, signInFlags } from '../../passwords.js';

export const memberRemove = defineCommand({
  name: 'remove',
  summary: 'end a membership, everywhere within a second',
  description: 'Members leave by themselves with --as. The last owner cannot go.',
  positionals: [
    { name: 'organisation', summary: 'the organisation' },
    { name: 'username', summary: 'the member' },
  ],
  flags: { ...signInFlags, ...jsonFlag },
  examples: [
    { line: 'scs org member remove physics bob', summary: 'as the administrator' },
    { line: 'scs org member remove --as bob physics bob', summary: 'bob leaves' },
  ],
  async run(ctx) {
    const { organisation, username } = ctx.args;
    const signIn = await readSignIn(ctx, ctx.flags);
    const member = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.removeMember(organisation, username),
    );
    ctx.log.info(`${member.username} is no member of ${organisation} any more`);
    if (ctx.flags.json) ctx.out.json({ members: [member] });
  },
});
