import { defineCommand, jsonFlag } from '#libs/cli';
import { DomainError, newSecret } from '#libs/core';
import { withInstance } from '../instance.js';
import { passwordFlags, readOldPassword, readPassword } from '../passwords.js';

export const userPasswd = defineCommand({
  name: 'passwd',
  summary: 'give an account another password, which ends its sessions',
  description:
    'As the administrator all tokens of the account end too, unless --keep-tokens is given. With --as, by the old password, they stay, unless --revoke-tokens is given. ' +
    'The new password is asked for, or comes from --generate, --password-file or --password-stdin.',
  positionals: [{ name: 'username', summary: 'the account' }],
  flags: {
    as: { type: 'string', value: 'USER', summary: 'sign in as this user, by the old password' },
    'old-password-file': {
      type: 'string',
      value: 'FILE',
      summary: 'with --as: read the old password from the first line of a file',
    },
    generate: { type: 'boolean', summary: 'make a random password and print it' },
    ...passwordFlags,
    'revoke-tokens': { type: 'boolean', summary: 'end all tokens of the account' },
    'keep-tokens': { type: 'boolean', summary: 'end no token' },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs user passwd --generate alice', summary: 'as the administrator: print a random one' },
    { line: 'scs user passwd --as alice alice', summary: 'as alice, who is asked for both' },
    {
      line: 'scs user passwd --as alice --revoke-tokens alice',
      summary: 'after somebody else saw the old one',
    },
  ],
  async run(ctx) {
    const { username } = ctx.args;
    const { as, generate, json } = ctx.flags;
    if (ctx.flags['revoke-tokens'] && ctx.flags['keep-tokens'])
      throw new DomainError('bad_request', 'Expected --revoke-tokens or --keep-tokens, got both');
    if (generate && (ctx.flags['password-stdin'] || ctx.flags['password-file'] !== undefined))
      throw new DomainError('bad_request', 'Expected one source of the password, got --generate and another');
    const signIn =
      as === undefined
        ? undefined
        : { username: as, password: await readOldPassword(ctx, ctx.flags['old-password-file'], as) };
    const password = generate
      ? newSecret(18)
      : await readPassword(ctx, ctx.flags, `New password for ${username}`);
    const revokeTokens = ctx.flags['revoke-tokens'] || (as === undefined && !ctx.flags['keep-tokens']);
    const user = await withInstance(ctx, ({ auth }) =>
      auth(signIn).changePassword(username, { password, revokeTokens }),
    );
    ctx.log.info(`The password of ${user.username} was changed${revokeTokens ? ', its tokens ended' : ''}`);
    if (json) ctx.out.json({ users: [generate ? { ...user, password } : user] });
    else if (generate) ctx.out.line(password);
  },
});
