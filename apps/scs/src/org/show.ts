import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { printOrganisation } from './print.js';

export const orgShow = defineCommand({
  name: 'show',
  summary: 'show an organisation',
  positionals: [{ name: 'name', summary: 'the organisation' }],
  flags: { ...signInFlags, ...jsonFlag },
  examples: [{ line: 'scs org show physics', summary: 'its names, how many members it has' }],
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const organisation = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.show(ctx.args.name),
    );
    if (ctx.flags.json) ctx.out.json({ organisations: [organisation] });
    else printOrganisation(ctx.out, organisation);
  },
});
