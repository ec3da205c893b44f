import { defineCommand, jsonFlag } from '#libs/cli';
import { OrganisationRole } from '#libs/contract';
import { withInstance } from '../../instance.js';
import { readSignIn, signInFlags } from '../../passwords.js';

export const memberAdd = defineCommand({
  name: 'add',
  summary: 'make a user a member, or give a member another role',
  description: 'It counts for tokens that were made before, too, everywhere within a second.',
  positionals: [
    { name: 'organisation', summary: 'the organisation' },
    { name: 'username', summary: 'the user' },
  ],
  flags: {
    role: {
      type: 'string',
      value: 'ROLE',
      choices: OrganisationRole.options,
      default: 'reader',
      summary: 'owner, writer or reader',
    },
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'scs org member add --role writer physics bob', summary: 'bob pushes to physics' },
    { line: 'scs org member add --as alice physics carol', summary: 'by an owner; carol reads' },
  ],
  async run(ctx) {
    const { organisation, username } = ctx.args;
    const role = OrganisationRole.parse(ctx.flags.role);
    const signIn = await readSignIn(ctx, ctx.flags);
    const member = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.setMember(organisation, username, role),
    );
    ctx.log.info(`${member.username} is ${member.role} of ${organisation}`);
    if (ctx.flags.json) ctx.out.json({ members: [member] });
  },
});
