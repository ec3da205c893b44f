import { createPublicKey } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { RemoteAuthority, verifyFeed } from './remote-authority.js';
import { newPrivateJwk } from './service-key.js';

const feed = { iss: 'urn:scs:test', time: 1, after: 0, head: 0, keys: ['k'], entries: [] };

async function world() {
  const key = await newPrivateJwk();
  const pem = createPublicKey({ key: { ...key }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
  const keys = { find: async (kid: string) => (kid === key.kid ? pem : undefined) };
  const sign = async (payload: object, header: object = {}, by = key) =>
    new SignJWT({ ...payload })
      .setProtectedHeader({ alg: 'ES256', typ: 'scs-revocations+jwt', kid: key.kid, ...header })
      .sign(await importJWK(by, 'ES256'));
  return { keys, sign };
}

test('a signed feed is taken', async () => {
  const { keys, sign } = await world();
  expect(await verifyFeed(await sign(feed), keys)).toEqual(feed);
});

test('a feed that is signed by another key, or is something else, is not', async () => {
  const { keys, sign } = await world();
  await expect(verifyFeed(await sign(feed, {}, await newPrivateJwk()), keys)).rejects.toThrow(
    'signature verification failed',
  );
  await expect(verifyFeed(await sign(feed, { kid: 'other' }), keys)).rejects.toThrow('unknown key');
  await expect(verifyFeed(await sign(feed, { typ: 'at+jwt' }), keys)).rejects.toThrow(
    'Expected a revocation feed',
  );
  const [header, , signature] = (await sign(feed)).split('.');
  const changed = Buffer.from(JSON.stringify({ ...feed, head: 5 })).toString('base64url');
  await expect(verifyFeed(`${header}.${changed}.${signature}`, keys)).rejects.toThrow(
    'signature verification failed',
  );
});

test('an entry of a kind that this version does not know is not skipped', async () => {
  const { keys, sign } = await world();
  const entries = [{ kind: 'organisation', sequence: 1, id: 'a'.repeat(24) }];
  await expect(verifyFeed(await sign({ ...feed, head: 1, entries }), keys)).rejects.toThrow('not understood');
});

test('is asked without a token', async () => {
  const calls: unknown[] = [];
  const { keys, sign } = await world();
  const signed = await sign({ ...feed, after: 7, head: 7 });
  const client = {
    call: async (call: { token: string | undefined; path: string }) => {
      calls.push([call.path, call.token]);
      return { status: 200, headers: {}, body: { data: { signed } } };
    },
  };
  expect((await new RemoteAuthority(client).revocations(7, keys)).head).toBe(7);
  expect(calls).toEqual([['/v1/auth/revocations?after=7', undefined]]);
});
