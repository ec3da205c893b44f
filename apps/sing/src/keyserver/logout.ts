import { defineCommand } from '#libs/cli';
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
    // What is wanted is so already: no error, as in the stock programs, and as `remote logout` does it.
    if (!credentials.some(({ uri }) => same(uri, url))) {
      ctx.log.info(`You were not logged in to the key server ${url}. See where you are: sing keyserver list`);
      return;
    }
    await changeRemoteFile(ctx, (file) => file.withCredential(undefined, (uri) => same(uri, url)));
    ctx.log.info(`Logged out of the key server ${url}. A token itself stays valid until it is revoked.`);
  },
});
