import * as openpgp from 'openpgp';
import { HttpClient, KeysClient, KeystoreClient } from '#libs/client';
import { repeat } from './library.mjs';
import { serverOf } from './server.mjs';
import { within } from './until.mjs';

/** Uploads of one account follow each other: several accounts bring keys at the same time. */
const ACCOUNTS = 10;
const WIDTH = 16;
/** User ids, and subkeys, that one certificate takes besides its first. */
const MOST = 49;

/**
 * Many who bring the same certificate at once, each with another part of it, and a `kill -9` in the middle of many new ones: nothing
 * is lost of the one, and everything that was acknowledged of the others is found by all its handles.
 */
export async function keysAtOnce({ times, folder }) {
  const server = await serverOf(folder, 'auth,keystore', {
    SCS_KEYSTORE_ADDS: '1000000',
    SCS_KEYSTORE_SEARCHES: '100000',
    SCS_KEYSTORE_GETS: '100000',
  });
  await server.start();
  const open = [];
  const client = (token) => {
    const http = new HttpClient({ baseUrl: server.url, token, ca: server.ca, userAgent: 'soak' });
    open.push(http);
    return http;
  };
  try {
    const admin = client(server.token);
    const accounts = await makeAccounts(admin);
    const writers = accounts.map((token) => new KeystoreClient(client(token)));
    const before = server.descriptors().length;

    const parts = Math.ceil(times / 10);
    await sameAtOnce(writers, parts);
    const acknowledged = await killedInTheMiddle(server, writers, times);
    const keys = new KeysClient(admin);
    for await (const { problems } of keys.check(false))
      if (problems.length > 0) throw new Error(`Expected nothing wrong, got ${JSON.stringify(problems[0])}`);
    await Promise.all(open.map((http) => http.close()));
    await server.requireClean(before);
    await server.stop();
    return `${parts} brought parts of one key at once, all there · ${acknowledged} of ${times} keys acknowledged before a kill, all found by all their handles`;
  } finally {
    await Promise.all(open.map((http) => http.close()));
    await server.kill();
  }
}

async function makeAccounts(admin) {
  const send = async (url, value) => {
    const answer = await admin.request({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
    });
    return JSON.parse(await answer.text()).data;
  };
  const tokens = [];
  for (let index = 0; index < ACCOUNTS; index += 1) {
    const username = `soak${index}`;
    await send('/v1/auth/users', { username, password: 'a password of the soak' });
    const request = { name: 'soak', username, scopes: ['keystore:write'] };
    tokens.push((await send('/v1/auth/tokens', request)).token);
  }
  return tokens;
}

async function sameAtOnce(writers, parts) {
  const key = await newKey('Crowd');
  const uploads = await Promise.all(
    Array.from({ length: parts }, async (_, index) => {
      if (index >= 2 * MOST) return key.toPublic().armor();
      if (index % 2 === 0) return withUserId(key, `Name${index}`);
      const more = await key.addSubkey({ type: 'ecc', curve: 'ed25519Legacy', sign: true, config: CONFIG });
      return more.toPublic().armor();
    }),
  );
  await Promise.all(uploads.map((armored, index) => writers[index % writers.length].add(armored)));
  const stored = await openpgp.readKey({ armoredKey: await writers[0].get(`0x${key.getFingerprint()}`) });
  const some = Math.min(parts, 2 * MOST);
  expectEqual('user ids', stored.getUserIDs().length, Math.ceil(some / 2) + 1);
  expectEqual('subkeys', stored.getSubkeys().length, Math.floor(some / 2) + 1);
}

async function killedInTheMiddle(server, writers, times) {
  const keys = [];
  await repeat(times, 4, async (index) => keys.push(await newKey(`Person${index}`)));
  const acknowledged = new Set();
  const dead = Promise.withResolvers();
  let next = 0;
  const lane = async (writer) => {
    while (next < keys.length) {
      const key = keys[next];
      next += 1;
      try {
        await writer.add(key.toPublic().armor());
      } catch {
        // It is gone: what was not acknowledged may be there or not.
        return;
      }
      acknowledged.add(key);
      if (acknowledged.size === Math.ceil(times / 2)) dead.resolve(server.kill());
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, (_, index) => lane(writers[index % writers.length])));
  await dead.promise;
  const count = acknowledged.size;
  await within(60_000, 'the server to start', server.start());
  const [reader] = writers;
  const all = [...acknowledged];
  await repeat(all.length, WIDTH, (index) => requireFound(reader, all[index]));
  await repeat(keys.length, WIDTH, (index) =>
    writers[index % writers.length].add(keys[index].toPublic().armor()),
  );
  await repeat(keys.length, WIDTH, (index) => requireFound(reader, keys[index]));
  return count;
}

/** By every way in which people and programs look for it. */
async function requireFound(reader, key) {
  const fingerprint = key.getFingerprint();
  const [subkey] = key.getSubkeys().map((one) => one.getFingerprint());
  const [userId] = key.getUserIDs();
  const [, name, email] = /^(\w+) <(.*)>$/.exec(userId);
  const ids = [fingerprint, subkey]
    .flatMap((hex) => [hex, hex.slice(-16), hex.slice(-8)])
    .map((hex) => `0x${hex}`);
  for (const search of [...ids, email, name]) {
    const { keys } = await reader.search(search);
    if (!keys.some((one) => one.fingerprint === fingerprint.toUpperCase()))
      throw new Error(`Expected ${fingerprint} by ${search}, got ${JSON.stringify(keys)}`);
  }
}

const CONFIG = { v6Keys: false };

async function newKey(name) {
  const { privateKey } = await openpgp.generateKey({
    userIDs: [{ name, email: `${name.toLowerCase()}@example.org` }],
    type: 'ecc',
    curve: 'ed25519Legacy',
    date: new Date(Date.now() - 60_000),
    format: 'object',
    config: CONFIG,
  });
  return privateKey;
}

async function withUserId(privateKey, name) {
  const { publicKey } = await openpgp.reformatKey({
    privateKey,
    userIDs: [{ name }],
    date: new Date(Date.now() - 30_000),
    format: 'armored',
  });
  return publicKey;
}

function expectEqual(what, got, wanted) {
  if (got !== wanted) throw new Error(`Expected ${wanted} ${what}, got ${got}`);
}
