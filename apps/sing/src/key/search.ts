import { defineCommand, jsonFlag, printable } from '#libs/cli';
import { DomainError } from '#libs/core';
import type { IndexedKey } from '#libs/client';
import { KEY_FAILURE } from './ring.js';
import { askInOrder, searchText, urlFlag } from './server.js';

/** OpenPGP numbers of algorithms (keystore contract §1.7). */
const ALGORITHMS: Readonly<Record<number, string>> = {
  1: 'rsa',
  16: 'elgamal',
  17: 'dsa',
  18: 'ecdh',
  19: 'ecdsa',
  22: 'ed25519',
  25: 'x25519',
  26: 'x448',
  27: 'ed25519',
  28: 'ed448',
};

export const keySearch = defineCommand({
  name: 'search',
  summary: 'find public keys on the key server',
  description:
    'Where the remote has several key servers (sing keyserver list), they are asked in their order, and the first that knows a key answers.',
  failureStatus: KEY_FAILURE,
  positionals: [
    { name: 'text', summary: 'fingerprint, key id, e-mail address or words of the user id', rest: true },
  ],
  flags: {
    'long-list': { type: 'boolean', short: 'l', summary: 'fingerprints, dates and states' },
    ...urlFlag,
    ...jsonFlag,
  },
  examples: [{ line: 'sing key search ann@example.org', summary: 'find the key of an address' }],
  async run(ctx) {
    const text = ctx.args.text.join(' ');
    const { KeystoreClient } = await import('#libs/client');
    const found = await askInOrder(ctx, ctx.flags.url, async (http, { name }) => {
      const page = await new KeystoreClient(http).search(searchText(text), { signal: ctx.signal });
      return page.keys.length === 0 ? undefined : { ...page, name };
    });
    const { keys, nextPageToken } = found ?? { keys: [], nextPageToken: undefined };
    if (ctx.flags.json) {
      const server = found === undefined ? {} : { keyserver: found.name };
      ctx.out.json({ keys: keys.map(toJson), more: nextPageToken !== undefined, ...server });
      return;
    }
    if (found === undefined) {
      throw new DomainError('not_found', `No key matches ${text}`, { reason: 'key_not_found' });
    }
    ctx.log.verbose(`The key server ${found.name} answered`);
    ctx.out.line(`Showing ${keys.length} results`);
    ctx.out.line();
    if (ctx.flags['long-list']) {
      for (const key of keys) printLong(ctx.out, key);
    } else {
      ctx.out.table(
        ['KEY ID', 'BITS', 'NAME/EMAIL'],
        keys.map((key) => [key.fingerprint.slice(-8), String(key.bits ?? ''), key.userIds[0] ?? '']),
      );
    }
    if (nextPageToken !== undefined) ctx.log.info('There are more: use more words, or a whole address.');
  },
});

function toJson(key: IndexedKey) {
  return {
    fingerprint: key.fingerprint,
    userIds: key.userIds,
    algorithm: algorithmName(key),
    created: key.created?.toISOString() ?? null,
    expires: key.expires?.toISOString() ?? null,
    revoked: key.state === 'revoked',
  };
}

function printLong(out: { line(text?: string): void }, key: IndexedKey): void {
  out.line(`Fingerprint: ${key.fingerprint}`);
  out.line(`Algorithm:   ${algorithmName(key)}`);
  out.line(`Created:     ${key.created?.toISOString().slice(0, 10) ?? 'unknown'}`);
  out.line(`Expires:     ${key.expires?.toISOString().slice(0, 10) ?? 'never'}`);
  if (key.state !== 'valid') out.line(`State:       ${key.state}`);
  for (const userId of key.userIds) out.line(`User id:     ${printable(userId)}`);
  out.line();
}

function algorithmName({ algorithm, bits }: IndexedKey): string {
  const name = ALGORITHMS[algorithm ?? 0] ?? 'unknown';
  return name === 'rsa' || name === 'dsa' || name === 'elgamal' ? `${name}${bits ?? ''}` : name;
}
