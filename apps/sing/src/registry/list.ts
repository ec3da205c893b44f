import { defineCommand, jsonFlag } from '#libs/cli';
import { authFilePath, readAuthFile } from './auth-file.js';
import { registryFlags } from './flags.js';

export const registryList = defineCommand({
  name: 'list',
  summary: 'list the registries that there is a password for',
  flags: { authfile: registryFlags.authfile, ...jsonFlag },
  async run(ctx) {
    const { flags, out, log } = ctx;
    const file = await readAuthFile(ctx, authFilePath(ctx, flags.authfile), flags.authfile === undefined);
    const registries = file.hosts.map((host) => ({
      uri: `oras://${host}`,
      username: file.find(host)?.username ?? null,
    }));
    if (flags.json) return out.json({ registries });
    out.table(
      ['REGISTRY', 'NAME'],
      registries.map(({ uri, username }) => [uri, username ?? '']),
    );
    if (registries.length === 0) log.info('No passwords. Store one: sing registry login oras://HOST');
  },
});
