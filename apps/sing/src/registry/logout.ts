import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { authFilePath, changeAuthFile, readAuthFile } from './auth-file.js';
import { registryFlags } from './flags.js';
import { registryHost } from './host.js';

export const registryLogout = defineCommand({
  name: 'logout',
  summary: 'forget the password for a registry',
  positionals: [{ name: 'registry', summary: 'oras://host[:port] or docker://host[:port]' }],
  flags: { authfile: registryFlags.authfile },
  examples: [{ line: 'sing registry logout oras://ghcr.io', summary: 'remove what login has stored' }],
  async run(ctx) {
    const { args, flags, log } = ctx;
    const host = await registryHost(args.registry);
    const path = authFilePath(ctx, flags.authfile);
    if ((await readAuthFile(ctx, path, flags.authfile === undefined)).find(host) === undefined)
      throw new DomainError('not_found', `There is no password for ${host} in ${path}`, {
        reason: 'not_logged_in',
        remedy: 'What there is, says: sing registry list',
      });
    await changeAuthFile(ctx, flags.authfile, (file) => file.without(host));
    log.info(`Logged out of ${host}`);
  },
});
