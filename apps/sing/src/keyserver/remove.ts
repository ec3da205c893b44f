import { defineCommand, type Surroundings } from '#libs/cli';
import { globalFlag } from '../remote/global.js';
import { changeRemoteFile } from '../remotes/remote-file.js';
import { listRemotes } from '../remotes/remotes.js';
import { changeKeyServers, comparer, remoteArgument } from './changing.js';
import { withRemoved } from './order.js';

export const keyServerRemove = defineCommand({
  name: 'remove',
  aliases: ['rm'],
  summary: 'ask a key server no more',
  description:
    'The one that the remote brings itself can be taken out as long as there is another; add brings it back.',
  positionals: [remoteArgument, { name: 'url', summary: 'address of the key server, as list shows it' }],
  flags: globalFlag,
  examples: [{ line: 'sing keyserver remove https://keys.example.org', summary: 'ask it no more' }],
  run: (ctx) => removeKeyServer(ctx, ctx.args, ctx.flags),
});

export async function removeKeyServer(
  place: Surroundings,
  { remote, url }: { readonly remote: string | undefined; readonly url: string },
  { global }: { readonly global: boolean },
): Promise<void> {
  const same = await comparer();
  const chosen = await changeKeyServers(place, { remote, global }, (list) => withRemoved(list, url, same));
  place.log.info(`The key server ${url} is not asked any more when the remote ${chosen.name} is used.`);
  // What somebody was logged in with is of no use without it, and a secret.
  const { remotes } = await listRemotes(place);
  const listed = remotes.some(({ keyservers }) =>
    keyservers.some(({ external, uri }) => external && same(uri, url)),
  );
  if (!listed && chosen.credentials.some(({ uri }) => same(uri, url)))
    await changeRemoteFile(place, (file) => file.withCredential(undefined, (uri) => same(uri, url)));
}
