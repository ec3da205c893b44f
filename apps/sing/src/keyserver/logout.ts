import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { changeRemoteFile, readRemoteFile } from '../remotes/remote-file.js';
import { comparer } from './changing.js';

export const keyServerLogout = defineCommand({
  name: 'logout',
  summary: 'forget what you are known by at a key server',
  positionals: [{ name: 'url', summary: 'address of the key server' }],
  async run(ctx) {
    const same = await comparer();
    const { url } = ctx.args;
    const { credentials } = await readRemoteFile(ctx);
    if (!credentials.some(({ uri }) => same(uri, url)))
      throw new DomainError('not_found', `You are not logged in to the key server ${url}`, {
        reason: 'not_logged_in',
        remedy: 'See where you are: sing keyserver list',
      });
    await changeRemoteFile(ctx, (file) => file.withCredential(undefined, (uri) => same(uri, url)));
    ctx.log.info(`Logged out of the key server ${url}. A token itself stays valid until it is revoked.`);
  },
});
