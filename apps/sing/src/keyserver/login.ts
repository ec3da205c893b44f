import { defineCommand, type Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { isPlain } from '../key/server.js';
import { readSecret, secretFlags } from '../remote/secret.js';
import { changeRemoteFile, type KeyServerEntry } from '../remotes/remote-file.js';
import { listRemotes } from '../remotes/remotes.js';
import { Session } from '../session.js';
import { comparer } from './changing.js';
import type { Same } from './order.js';

/** Milliseconds; "5 s timeout" in the stock program (keystore contract §1.2), ours waits for a slow network. */
const TIMEOUT = 15_000;

export const keyServerLogin = defineCommand({
  name: 'login',
  summary: 'store what you are known by at a key server, after trying it',
  description:
    'With a user name it is that and a password or token (Basic), without one a token alone (Bearer). The key server that a remote brings knows you by sing remote login.',
  positionals: [{ name: 'url', summary: 'address of a key server that was added' }],
  flags: {
    username: {
      type: 'string',
      short: 'u',
      value: 'NAME',
      env: ['LOGIN_USERNAME'],
      summary: 'your name there; without it a token is enough',
    },
    ...secretFlags,
    insecure: {
      type: 'boolean',
      short: 'i',
      env: ['LOGIN_INSECURE'],
      summary: 'as the key server was added: whatever certificate it has',
    },
  },
  examples: [
    { line: 'sing keyserver login https://keys.example.org', summary: 'ask for a token' },
    {
      line: 'sing keyserver login -u ann --password-stdin https://keys.example.org < token',
      summary: 'with a user name, from a file',
    },
  ],
  async run(ctx) {
    const { flags, args, log } = ctx;
    const same = await comparer();
    const server = await configured(ctx, args.url, same);
    if (server.insecure && !flags.insecure)
      log.warning(`${server.uri} was added as insecure: its certificate is not looked at`);
    if (!server.insecure && flags.insecure)
      log.warning(`${server.uri} was added as secure: --insecure has no effect`);
    const secret = await readSecret(ctx, flags, 'Password or token');
    if (secret === '')
      throw new DomainError('bad_request', 'A password or token is required', { reason: 'no_password' });
    const auth =
      flags.username === undefined || flags.username === ''
        ? `Bearer ${secret}`
        : `Basic ${Buffer.from(`${flags.username}:${secret}`).toString('base64')}`;
    await tryIt(ctx, server, auth);
    await changeRemoteFile(ctx, (file) =>
      file.withCredential({ uri: server.uri, auth, insecure: server.insecure }, (uri) =>
        same(uri, server.uri),
      ),
    );
    log.info(`Logged in to the key server ${server.uri}.`);
  },
});

async function configured(place: Surroundings, url: string, same: Same): Promise<KeyServerEntry> {
  const { keystoreBaseUrl } = await import('#libs/client');
  keystoreBaseUrl(url);
  const entries = (await listRemotes(place)).remotes.flatMap(({ keyservers }) => keyservers);
  const found = entries.find(({ external, uri }) => external && same(uri, url));
  if (found !== undefined) return found;
  throw new DomainError('not_found', `no external keyserver configuration found for ${url}`, {
    reason: 'unknown_keyserver',
    remedy: `Add it: sing keyserver add ${url}\nThe key server of a remote knows you by: sing remote login`,
  });
}

/** "one GET of exactly that URI … must be exactly 200; anything else = login failed" (keystore contract §1.2). */
async function tryIt(place: Surroundings, { uri, insecure }: KeyServerEntry, auth: string): Promise<void> {
  const { keystoreBaseUrl } = await import('#libs/client');
  const address = keystoreBaseUrl(uri);
  if (!insecure && isPlain(address))
    throw new DomainError('forbidden', `What you log in with would travel unencrypted to ${uri}`, {
      reason: 'insecure_address',
      remedy: 'Add the key server with https:// or hkps://',
    });
  const session = Session.withoutRemote(place, address);
  try {
    const http = await session.elsewhere(address, { authorization: auth, unverified: insecure });
    const answer = await http.request({ url: '/', accept: [200], timeout: TIMEOUT, signal: place.signal });
    await answer.discard();
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'unauthorized') throw error;
    throw new DomainError('unauthorized', `The key server ${uri} does not accept this: ${error.message}`, {
      reason: 'bad_login',
      cause: error,
      remedy: 'Nothing was stored. Key servers of SCS take a token, also in the place of a password.',
    });
  } finally {
    await session.close();
  }
}
