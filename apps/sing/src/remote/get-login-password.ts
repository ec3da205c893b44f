import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { withSession } from '../session.js';

export const remoteGetLoginPassword = defineCommand({
  name: 'get-login-password',
  summary: 'print the password with which the registry of the remote knows you',
  description: 'It is a secret: pipe it into the program that asks for it.',
  examples: [
    {
      line: 'sing remote get-login-password | sing registry login -u ann --password-stdin oras://registry.example.org',
      summary: 'log in to the registry behind the library',
    },
  ],
  async run(ctx) {
    const secret = await withSession(ctx, async (session) => {
      session.requireToken();
      const { currentUser } = await import('#libs/client');
      const user = await currentUser(await session.service('library'), { signal: ctx.signal });
      if (user === undefined)
        throw new DomainError('unauthorized', 'must be logged in to retrieve token', {
          reason: 'invalid_token',
        });
      return user.oidc_user_meta?.secret ?? '';
    });
    if (secret === '')
      throw new DomainError('not_found', 'user does not have cli token set', {
        reason: 'no_registry_password',
        remedy: 'The remote offers no registry that would ask for it.',
      });
    ctx.out.line(secret);
  },
});
