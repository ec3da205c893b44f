import { defineCommand, jsonFlag } from '#libs/cli';
import { DomainError, newSecret } from '#libs/core';
import { withInstance } from '../instance.js';
import { passwordFlags, readPassword } from '../passwords.js';

export const userAdd = defineCommand({
  name: 'add',
  summary: 'make an account',
  description:
    'The user name is also the library entity of the account. The password is asked for unless a flag says otherwise.',
  positionals: [{ name: 'username', summary: 'lower-case letters, digits and single . _ - between them' }],
  flags: {
    email: { type: 'string', value: 'ADDRESS', summary: 'e-mail address' },
    'display-name': { type: 'string', value: 'NAME', summary: 'name as people write it' },
    administrator: { type: 'boolean', summary: 'may have tokens with the scope admin' },
    generate: { type: 'boolean', summary: 'make a random password and print it' },
    ...passwordFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'scs user add --email alice@example.com alice', summary: 'ask for the password' },
    { line: 'scs user add --generate alice', summary: 'print a random one' },
    { line: 'scs user add --password-file alice.password alice', summary: 'take it from a file' },
  ],
  async run(ctx) {
    const { username } = ctx.args;
    const { email, administrator, generate } = ctx.flags;
    const displayName = ctx.flags['display-name'];
    if (generate && (ctx.flags['password-stdin'] || ctx.flags['password-file'] !== undefined))
      throw new DomainError('bad_request', 'Expected one source of the password, got --generate and another');
    const password = generate
      ? newSecret(18)
      : await readPassword(ctx, ctx.flags, `Password for ${username}`);
    const user = await withInstance(ctx, ({ auth }) =>
      auth().createUser({
        username,
        password,
        administrator,
        ...(email === undefined ? {} : { email }),
        ...(displayName === undefined ? {} : { displayName }),
      }),
    );
    ctx.log.info(`Made the account ${user.username}`);
    if (ctx.flags.json) ctx.out.json({ users: [generate ? { ...user, password } : user] });
    else if (generate) ctx.out.line(password);
  },
});
