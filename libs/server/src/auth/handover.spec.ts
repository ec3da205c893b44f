import { importJWK, SignJWT } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { AUTH_PATHS, type RevocationFeed, SIGNED_TYPES } from '#libs/contract';
import { ManualClock } from '#libs/core';
import type { InternalCall } from '../internal-client.js';
import { ACCESS_LIMITS } from './limits.js';
import { RemoteAuthority } from './remote-authority.js';
import { newPrivateJwk, publicPart } from './service-key.js';
import { FakeAuthority } from './testing/fake-authority.js';
import { TokenVerifier } from './verifier.js';

type Key = Awaited<ReturnType<typeof newPrivateJwk>>;

/** Whoever answers at the address of the auth service: the true one, or somebody in its place. */
let answers: { keys: object[]; signedBy: Key; kid: string; feed: Partial<RevocationFeed> };
let auth: FakeAuthority;
let verifier: TokenVerifier;
let ticks: number;
const clock = new ManualClock('2026-05-01T12:00:00Z');
const [first, second, stranger] = await Promise.all([newPrivateJwk(), newPrivateJwk(), newPrivateJwk()]);

const client = {
  call: async ({ path }: InternalCall) => {
    const { keys, signedBy, kid, feed } = answers;
    if (path === AUTH_PATHS.jwks) return { status: 200, headers: {}, body: { issuer: auth.issuer, keys } };
    const after = Number(new URL(path, 'https://auth').searchParams.get('after'));
    const signed = await new SignJWT({ ...(await auth.revocations(after)), ...feed })
      .setProtectedHeader({ alg: 'ES256', typ: SIGNED_TYPES.revocations, kid })
      .sign(await importJWK(signedBy, 'ES256'));
    return { status: 200, headers: {}, body: { data: { signed } } };
  },
};

/** The auth service with these keys, of which the first signs the feed. */
function say(...keys: [Key, ...Key[]]): void {
  answers = {
    keys: keys.map(publicPart),
    signedBy: keys[0],
    kid: keys[0].kid,
    feed: { keys: keys.map((key) => key.kid) },
  };
}

const tokenOf = (key: Key): Promise<string> => {
  auth.keys = [key];
  return auth.token();
};
const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (error as { reason?: string }).reason ?? String(error),
  );
const reasonFor = async (key: Key): Promise<unknown> => {
  ticks += ACCESS_LIMITS.keyRefreshMs;
  return reasonOf(verifier.verify(await tokenOf(key)));
};

beforeEach(async () => {
  ticks = 0;
  auth = await FakeAuthority.make(() => clock.now().getTime());
  say(first);
  verifier = new TokenVerifier({ clock, elapsed: () => ticks });
  verifier.useAuthority(new RemoteAuthority(client));
  await verifier.refresh();
});

describe('keys hand over to each other', () => {
  test('a new one is taken when a feed named it that the old one signed, and the old one may go then', async () => {
    say(first, second);
    expect(await reasonFor(second)).toBe('accepted');
    expect(await reasonFor(first)).toBe('accepted');
    say(second);
    await verifier.refresh();
    expect(await reasonFor(second)).toBe('accepted');
    expect(await reasonFor(first)).toBe('token_invalid');
  });

  test('what a retired key stood for has ended, whatever else is known of it', async () => {
    say(first, second);
    await verifier.refresh();
    const actor = await verifier.verify(await tokenOf(first));
    expect(verifier.hasEnded(actor)).toBe(false);
    say(second);
    await verifier.refresh();
    expect(verifier.hasEnded(actor)).toBe(true);
    expect(verifier.hasEnded({ ...actor, keyId: second.kid })).toBe(false);
    expect(verifier.hasEnded({ ...actor, keyId: undefined })).toBe(false);
  });

  test('an old feed brings no retired key back', async () => {
    say(first, second);
    await verifier.refresh();
    say(second);
    await verifier.refresh();
    answers.feed = {
      keys: [first.kid, second.kid],
      time: clock.now().getTime() - ACCESS_LIMITS.clockSkewMs - 1,
    };
    answers.keys = [publicPart(first), publicPart(second)];
    await expect(verifier.refresh()).rejects.toThrow('feed is old');
    expect(await reasonFor(first)).toBe('token_invalid');
  });
});

describe('a key that no feed named', () => {
  test('is not taken, though it is published', async () => {
    answers.keys = [publicPart(first), publicPart(stranger)];
    expect(await reasonFor(stranger)).toBe('token_invalid');
    expect(await reasonFor(first)).toBe('accepted');
    expect(verifier.fresh).toBe(true);
  });

  test('signs no feed, though it is published', async () => {
    say(stranger, first);
    await expect(verifier.refresh()).rejects.toThrow('signed by an unknown key');
    expect(await reasonFor(stranger)).toBe('token_invalid');
    expect(await reasonFor(first)).toBe('accepted');
  });

  test('does not come under the id of another one', async () => {
    const swapped = { ...publicPart(stranger), kid: second.kid };
    say(first, second);
    answers.keys = [publicPart(first), swapped];
    await expect(verifier.refresh()).rejects.toThrow('its id is not its thumbprint');
    auth.keys = [stranger];
    const token = await auth.token({}, { kid: second.kid });
    expect(await reasonOf(verifier.verify(token))).toBe('token_invalid');
  });
});

describe('where all keys are others', () => {
  test('nobody is taken any more, until the auth service answers again', async () => {
    const token = await tokenOf(first);
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    ticks += ACCESS_LIMITS.keyRefreshMs;
    say(stranger);
    await expect(verifier.refresh()).rejects.toThrow('none of the keys that it had');
    expect(await reasonOf(verifier.verify(token))).toBe('auth_keys_replaced');
    expect(await reasonFor(stranger)).toBe('token_invalid');
    expect(() => verifier.requireFresh()).toThrow('Nothing can be changed');
    // The question for keys is bounded, what was found is not forgotten meanwhile.
    await expect(verifier.refresh()).rejects.toThrow('signed by an unknown key');
    expect(await reasonOf(verifier.verify(token))).toBe('auth_keys_replaced');
    say(first);
    await verifier.refresh();
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    expect(() => verifier.requireFresh()).not.toThrow();
  });

  test('a service that starts takes them, on the word of the certificate', async () => {
    say(second);
    const fresh = new TokenVerifier({ clock, elapsed: () => ticks });
    fresh.useAuthority(new RemoteAuthority(client));
    expect(await reasonOf(fresh.verify(await tokenOf(second)))).toBe('accepted');
    expect(await reasonOf(fresh.verify(await tokenOf(first)))).toBe('token_invalid');
  });
});
