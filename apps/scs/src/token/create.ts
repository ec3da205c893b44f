import { defineCommand, jsonFlag } from '#libs/cli';
import { SCOPE_NAMES } from '#libs/contract';
import { withInstance } from '../instance.js';
import { parseLifetime } from '../lifetime.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { holderFlags, holderOf } from './holder.js';

/** What somebody needs to work, short of deleting and administering. */
const DEFAULT_SCOPES = ['library:read', 'library:write', 'keystore:write', 'build'];

export const tokenCreate = defineCommand({
  name: 'create',
  summary: 'make a token and print it, once',
  description:
    `Scopes: ${SCOPE_NAMES.join(', ')}; without --scope ${DEFAULT_SCOPES.join(', ')}. A library scope may be limited to a place: library:write:entity/collection/container. ` +
    'Nobody can show the token again; lose it, and make another one.',
  flags: {
    name: { type: 'string', value: 'NAME', default: 'scs', summary: 'what the token is called in lists' },
    scope: {
      type: 'list',
      value: 'SCOPE',
      commas: true,
      summary: 'what it allows; several with commas or again',
    },
    lifetime: {
      type: 'string',
      value: 'TIME',
      default: '90d',
      summary: 'how long it is good: 90d, 12h, 30m',
    },
    ...holderFlags,
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [
    {
      line: 'scs token create --name laptop --scope library:read,library:write,build',
      summary: 'for the administrator',
    },
    {
      line: 'scs token create --user alice --scope library:read > alice.token',
      summary: 'for somebody else',
    },
    { line: 'scs token create --as alice --scope build', summary: 'as alice, who is asked for the password' },
    {
      line: 'scs token create --as alice --robot physics.ci --lifetime 366d > ci.token',
      summary: 'for a robot, by an owner of its organisation',
    },
  ],
  async run(ctx) {
    const { name, scope, lifetime } = ctx.flags;
    const username = holderOf(ctx.flags);
    const request = {
      name,
      scopes: scope.length === 0 ? DEFAULT_SCOPES : [...scope],
      lifetime: parseLifetime(lifetime),
      ...(username === undefined ? {} : { username }),
    };
    const signIn = await readSignIn(ctx, ctx.flags);
    const created = await withInstance(ctx, ({ auth }) => auth(signIn).createToken(request));
    if (ctx.flags.json) {
      ctx.out.json({ tokens: [created] });
      return;
    }
    ctx.log.info(
      `Token ${created.id} of ${created.username}, good until ${created.expiresAt}: ${created.scopes.join(' ')}`,
    );
    ctx.out.line(created.token);
  },
});
