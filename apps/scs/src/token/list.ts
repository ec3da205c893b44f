import { defineCommand, jsonFlag } from '#libs/cli';
import type { TokenRecord } from '#libs/contract';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { holderFlags, holderOf } from './holder.js';

export const tokenList = defineCommand({
  name: 'list',
  summary: 'list the tokens of a user or a robot, newest first',
  description:
    'The last use is that of the token or of one that was exchanged from it, to about a minute, as the services report it.',
  flags: {
    ...holderFlags,
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'scs token list --user alice', summary: 'with their last use' },
    { line: 'scs token list --as alice --robot physics.ci', summary: 'by an owner of physics' },
  ],
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const tokens = await withInstance(ctx, ({ auth }) => auth(signIn).tokens(holderOf(ctx.flags)));
    if (ctx.flags.json) {
      ctx.out.json({ tokens });
      return;
    }
    const now = new Date().toISOString();
    ctx.out.table(
      ['ID', 'NAME', 'STATE', 'EXPIRES', 'LAST USED', 'FROM', 'BY', 'SCOPES'],
      tokens.map((token) => [
        token.id,
        token.name,
        stateOf(token, now),
        token.expiresAt,
        token.lastUsed?.time ?? 'never',
        token.lastUsed?.address ?? '',
        shortly(token.lastUsed?.client ?? ''),
        token.scopes.join(' '),
      ]),
    );
  },
});

function stateOf(token: TokenRecord, now: string): string {
  if (token.revokedAt !== null) return 'revoked';
  return token.expiresAt <= now ? 'expired' : 'valid';
}

/** The first word of a `User-Agent`: the rest does not fit into a line. */
function shortly(client: string): string {
  return client.split(' ', 1)[0] ?? '';
}
