import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';

export const tokenRevoke = defineCommand({
  name: 'revoke',
  summary: 'end tokens now, with whatever was exchanged from them',
  positionals: [{ name: 'ids', summary: 'ids as token list shows them', rest: true }],
  flags: { ...signInFlags, ...jsonFlag },
  examples: [
    { line: 'scs token revoke 0123456789abcdef01234567', summary: 'refused everywhere within a second' },
  ],
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const tokens = await withInstance(ctx, async ({ auth }) => {
      const client = auth(signIn);
      const revoked = [];
      for (const id of ctx.args.ids) {
        const token = await client.revokeToken(id);
        ctx.log.info(`Revoked ${token.id} (${token.name} of ${token.username})`);
        revoked.push(token);
      }
      return revoked;
    });
    if (ctx.flags.json) ctx.out.json({ tokens });
  },
});
