import { defineCommand, jsonFlag } from '#libs/cli';
import type { TokenRecord } from '#libs/contract';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';

export const tokenList = defineCommand({
  name: 'list',
  summary: 'list the tokens of a user, newest first',
  flags: {
    user: { type: 'string', value: 'USER', summary: 'of this user instead of oneself' },
    ...signInFlags,
    ...jsonFlag,
  },
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const tokens = await withInstance(ctx, ({ auth }) => auth(signIn).tokens(ctx.flags.user));
    if (ctx.flags.json) {
      ctx.out.json({ tokens });
      return;
    }
    const now = new Date().toISOString();
    ctx.out.table(
      ['ID', 'NAME', 'STATE', 'EXPIRES', 'SCOPES'],
      tokens.map((token) => [
        token.id,
        token.name,
        stateOf(token, now),
        token.expiresAt,
        token.scopes.join(' '),
      ]),
    );
  },
});

function stateOf(token: TokenRecord, now: string): string {
  if (token.revokedAt !== null) return 'revoked';
  return token.expiresAt <= now ? 'expired' : 'valid';
}
