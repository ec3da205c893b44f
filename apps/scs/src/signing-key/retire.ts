import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';

const WARNING =
  'Every token of this instance ends, and running builds and uploads with them. People and robots need new ones';

export const signingKeyRetire = defineCommand({
  name: 'retire',
  summary: 'end every token now: for when a signing key has leaked',
  description:
    'Whoever has a signing key can make any token until the key is retired. A new key is made and every service hears of it; some seconds later ' +
    "the others are removed, and all that they signed is refused everywhere. The file of the administrator's token is written anew.",
  flags: {
    force: { type: 'boolean', short: 'f', summary: 'do not ask' },
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'scs signing-key retire', summary: 'asks first' },
    {
      line: 'scs signing-key retire --force --as admin',
      summary: 'by password, where no token works any more',
    },
  ],
  async run(ctx) {
    if (
      !ctx.flags.force &&
      !(await ctx.prompts.confirm({ message: `${WARNING}. Go on?`, flag: '--force' }))
    ) {
      ctx.log.info('Nothing was changed.');
      return;
    }
    const signIn = await readSignIn(ctx, ctx.flags);
    const keys = await withInstance(ctx, ({ auth }) => auth(signIn).retireKeys());
    for (const kid of keys.retired) ctx.log.info(`Retired the signing key ${kid}`);
    ctx.log.info(`The key ${keys.signs} signs from now on. Every token from before is refused`);
    if (ctx.flags.json) ctx.out.json({ keys });
  },
});
