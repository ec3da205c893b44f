import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '#libs/core';
import { ACCESS_LIMITS } from './limits.js';
import { newRolesKey, type Roles, sealRoles } from './sealed-roles.js';
import { newPrivateJwk } from './service-key.js';
import { FakeAuthority } from './testing/fake-authority.js';
import { TokenVerifier } from './verifier.js';

let clock: ManualClock;
let ticks: number;
let authority: FakeAuthority;
let verifier: TokenVerifier;
const advance = (milliseconds: number): void => {
  clock.advance(milliseconds);
  ticks += milliseconds;
};
const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (error as { reason?: string }).reason ?? String(error),
  );

beforeEach(async () => {
  clock = new ManualClock('2026-05-01T12:00:00Z');
  ticks = 0;
  authority = await FakeAuthority.make(() => clock.now().getTime());
  verifier = new TokenVerifier({ clock, elapsed: () => ticks });
  verifier.useAuthority(authority);
  await verifier.refresh();
});

describe('a token', () => {
  test('tells who asks', async () => {
    const token = await authority.token();
    expect(await verifier.verify(token)).toEqual({
      accountId: 'a'.repeat(24),
      kind: 'user',
      username: 'alice',
      email: 'alice@example.com',
      displayName: 'Alice',
      administrator: true,
      organisations: {},
      scopes: ['library:read', 'admin'],
      tokenId: '1'.repeat(24),
      originTokenId: '1'.repeat(24),
      keyId: authority.keys[0]?.kid,
      expiresAt: new Date('2026-05-01T12:10:00Z'),
      via: undefined,
      subject: undefined,
      token,
    });
  });

  test('ends at its second, also when it was remembered', async () => {
    const token = await authority.token();
    advance(599_999);
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    advance(1);
    expect(await reasonOf(verifier.verify(token))).toBe('token_expired');
  });

  test.each([
    ['another issuer', { iss: 'urn:scs:other' }, {}],
    ['another type', {}, { typ: 'scs-revocations+jwt' }],
    ['no type', {}, { typ: undefined }],
    ['no key id', {}, { kid: undefined }],
    ['a key id that is a path', {}, { kid: '../../0001' }],
    ['no expiry', { exp: undefined }, {}],
    ['an account id that is none', { sub: 'admin' }, {}],
    ['an origin but every service as its audience', { origin: '2'.repeat(24) }, {}],
    ['an unknown kind of account', { kind: 'king' }, {}],
    ['a key of roles that is none', { rolesKey: 'short' }, {}],
  ])('with %s is refused', async (_, claims, header) => {
    expect(await reasonOf(verifier.verify(await authority.token(claims, header)))).toBe('token_invalid');
  });

  test('for one service is good there and nowhere else', async () => {
    const token = await authority.token({ aud: 'library', origin: '2'.repeat(24), act: { sub: 'builder' } });
    expect(await verifier.verify(token, 'library')).toMatchObject({
      via: 'builder',
      originTokenId: '2'.repeat(24),
    });
    expect(await reasonOf(verifier.verify(token, 'keystore'))).toBe('wrong_audience');
    expect(await reasonOf(verifier.verify(token))).toBe('wrong_audience');
    expect((await verifier.verifyForAnyService(token)).originTokenId).toBe('2'.repeat(24));
  });

  test('for any service is looked at like every other one', async () => {
    expect(await reasonOf(verifier.verifyForAnyService(await authority.token()))).toBe('accepted');
    const expired = await authority.token({ aud: 'library', exp: 1 });
    expect(await reasonOf(verifier.verifyForAnyService(expired))).toBe('token_expired');
    const foreign = await authority.token({ aud: 'library', iss: 'urn:scs:other' });
    expect(await reasonOf(verifier.verifyForAnyService(foreign))).toBe('token_invalid');
    expect(await reasonOf(verifier.verifyForAnyService('x.y.z'))).toBe('token_invalid');
    const nobody = await authority.token({ aud: 'nobody' });
    expect(await reasonOf(verifier.verifyForAnyService(nobody))).toBe('wrong_audience');
    authority.end({ kind: 'token', id: '1'.repeat(24), until: 4_000_000_000 });
    await verifier.refresh();
    expect(await reasonOf(verifier.verifyForAnyService(await authority.token({ aud: 'builder' })))).toBe(
      'token_revoked',
    );
  });
});

describe('revocation', () => {
  test('ends a token and what was exchanged from it', async () => {
    const token = await authority.token();
    const exchanged = await authority.token({ aud: 'library', jti: '3'.repeat(24), origin: '1'.repeat(24) });
    expect(await reasonOf(verifier.verify(exchanged, 'library'))).toBe('accepted');
    authority.end({ kind: 'token', id: '1'.repeat(24), until: 4_000_000_000 });
    await verifier.refresh();
    expect(await reasonOf(verifier.verify(token))).toBe('token_revoked');
    expect(await reasonOf(verifier.verify(exchanged, 'library'))).toBe('token_revoked');
  });

  test('of an account takes its rank, or everything, and gives it back', async () => {
    const token = await authority.token();
    const state = async (disabled: boolean, administrator: boolean) => {
      authority.end({ kind: 'account', id: 'a'.repeat(24), disabled, administrator });
      await verifier.refresh();
    };
    await state(false, false);
    expect((await verifier.verify(token)).administrator).toBe(false);
    await state(true, true);
    expect(await reasonOf(verifier.verify(token))).toBe('account_disabled');
    await state(false, true);
    expect((await verifier.verify(token)).administrator).toBe(true);
  });

  test('that was exchanged has no rank, whatever its account has', async () => {
    const exchanged = { aud: 'library', jti: '3'.repeat(24), origin: '1'.repeat(24) };
    const token = await authority.token({ ...exchanged, administrator: false });
    // No such token is made; the claim alone is not believed either.
    const claiming = await authority.token({ ...exchanged, administrator: true });
    authority.end({ kind: 'account', id: 'a'.repeat(24), disabled: false, administrator: true });
    await verifier.refresh();
    expect((await verifier.verify(token, 'library')).administrator).toBe(false);
    expect((await verifier.verify(claiming, 'library')).administrator).toBe(false);
  });

  describe('roles in organisations', () => {
    const tell = async (organisations?: string) => {
      authority.end({
        kind: 'account',
        id: 'a'.repeat(24),
        disabled: false,
        administrator: false,
        ...(organisations === undefined ? {} : { organisations }),
      });
      await verifier.refresh();
    };
    const roles = async (claims: object = {}) =>
      (await verifier.verify(await authority.token(claims))).organisations;

    test('come from the feed alone, and change with it', async () => {
      expect(await roles({ organisations: { physics: 'owner' } })).toEqual({});
      // A name that every object has is a name like others.
      const several: Roles = Object.fromEntries([
        ['physics', 'writer'],
        ['constructor', 'reader'],
      ]);
      await tell(await sealRoles(authority.rolesKey, several));
      expect(await roles()).toEqual(several);
      await tell(await sealRoles(authority.rolesKey, { physics: 'reader' }));
      expect(await roles()).toEqual({ physics: 'reader' });
      await tell();
      expect(await roles()).toEqual({});
    });

    test('are not told to whoever reads the feed', async () => {
      await tell(await sealRoles(authority.rolesKey, { 'secret-project': 'writer' }));
      const feed = await authority.revocations(0);
      expect(JSON.stringify(feed)).not.toContain('secret-project');
      const sealed = feed.entries.map((entry) => (entry.kind === 'account' ? entry.organisations : ''));
      for (const part of (sealed[0] ?? '').split('.'))
        expect(Buffer.from(part, 'base64url').toString('latin1')).not.toContain('secret');
    });

    test('that cannot be opened end the request, and without a key there are none', async () => {
      await tell(await sealRoles(newRolesKey(), { physics: 'owner' }));
      expect(await roles({ rolesKey: undefined })).toEqual({});
      expect(await reasonOf(roles())).toBe('token_invalid');
    });

    test('are told later to whom the key was handed over, and no key stands in the way of another', async () => {
      const account = 'a'.repeat(24);
      const key = await verifier.rolesKeyOf({ token: await authority.token() });
      expect(key).toBe(authority.rolesKey);
      expect(await verifier.rolesOf(account, authority.rolesKey)).toEqual({});
      await tell(await sealRoles(authority.rolesKey, { physics: 'writer' }));
      expect(await verifier.rolesOf(account, newRolesKey())).toEqual({});
      expect(await roles()).toEqual({ physics: 'writer' });
      expect(await verifier.rolesOf(account, authority.rolesKey)).toEqual({ physics: 'writer' });
      authority.end({
        kind: 'account',
        id: account,
        disabled: true,
        administrator: false,
        organisations: await sealRoles(authority.rolesKey, { physics: 'writer' }),
      });
      await verifier.refresh();
      expect(await verifier.rolesOf(account, authority.rolesKey)).toEqual({});
    });
  });

  test('a feed of many pages is read to its end', async () => {
    for (let one = 0; one < 1203; one += 1)
      authority.end({ kind: 'token', id: one.toString(16).padStart(24, '0'), until: 4_000_000_000 });
    await verifier.refresh();
    const last = await authority.token({ jti: (1202).toString(16).padStart(24, '0') });
    expect(await reasonOf(verifier.verify(last))).toBe('token_revoked');
  });

  test('a change made while the feed is being read is not missed', async () => {
    const token = await authority.token();
    const reading = verifier.refresh();
    authority.end({ kind: 'token', id: '1'.repeat(24), until: 4_000_000_000 });
    await verifier.refreshAfterChange();
    await reading;
    expect(await reasonOf(verifier.verify(token))).toBe('token_revoked');
  });
});

describe('when the auth service is silent', () => {
  test('reads go on, and writes stop after the bound until it answers again', async () => {
    const token = await authority.token();
    authority.silent = true;
    advance(ACCESS_LIMITS.feedStaleMs);
    await expect(verifier.refresh()).rejects.toThrow('No answer');
    expect(() => verifier.requireFresh()).not.toThrow();
    advance(1);
    expect(() => verifier.requireFresh()).toThrow('Nothing can be changed');
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    authority.silent = false;
    await verifier.refresh();
    expect(() => verifier.requireFresh()).not.toThrow();
  });

  test('from the start, nothing is taken', async () => {
    const token = await authority.token();
    authority.silent = true;
    const lonely = new TokenVerifier({ clock, elapsed: () => ticks });
    expect(await reasonOf(lonely.verify(token))).toBe('auth_unreachable');
    lonely.useAuthority(authority);
    expect(await reasonOf(lonely.verify(token))).toBe('auth_unreachable');
    expect(() => lonely.requireFresh()).toThrow('Nothing can be changed');
    // Broken tokens are still broken: no key is needed to see it.
    expect(await reasonOf(lonely.verify('x.y.z'))).toBe('token_invalid');
  });

  test('no token is taken before the feed was read once, though the keys are there', async () => {
    authority.end({ kind: 'token', id: '1'.repeat(24), until: 4_000_000_000 });
    const token = await authority.token();
    const fresh = new TokenVerifier({ clock, elapsed: () => ticks });
    fresh.useAuthority(authority);
    authority.lie = { iss: 'urn:scs:other' };
    expect(await reasonOf(fresh.verify(token))).toBe('auth_unreachable');
    authority.lie = {};
    expect(await reasonOf(fresh.verify(token))).toBe('token_revoked');
  });

  test('a slow answer is as old as its question', async () => {
    const answer = authority.revocations.bind(authority);
    authority.revocations = async (after) => {
      const feed = await answer(after);
      ticks += ACCESS_LIMITS.feedStaleMs + 1;
      return feed;
    };
    await verifier.refresh();
    expect(verifier.fresh).toBe(false);
  });
});

describe('a feed that is not right closes writes', () => {
  const lies: [string, () => void, RegExp][] = [
    ['rolled back', () => (authority.lie = { head: 1, after: 2 }), /went back from 2 to 1/],
    ['of another instance', () => (authority.lie = { iss: 'urn:scs:other' }), /another instance/],
    [
      'an old one',
      () => (authority.lie = { time: clock.now().getTime() - ACCESS_LIMITS.clockSkewMs - 1 }),
      /feed is old .* compare the clocks/,
    ],
    [
      'an answer to another question',
      () => (authority.lie = { after: 7, head: 7 }),
      /after 2, got those after 7/,
    ],
  ];

  test.each(lies)('%s', async (_, lie, message) => {
    authority.end({ kind: 'token', id: '2'.repeat(24), until: 4_000_000_000 });
    authority.end({ kind: 'token', id: '3'.repeat(24), until: 4_000_000_000 });
    await verifier.refresh();
    lie();
    await expect(verifier.refresh()).rejects.toThrow(message);
    advance(ACCESS_LIMITS.feedStaleMs + 1);
    await expect(verifier.refresh()).rejects.toThrow(message);
    expect(verifier.fresh).toBe(false);
    // And what was known stays known.
    expect(await reasonOf(verifier.verify(await authority.token({ jti: '2'.repeat(24) })))).toBe(
      'token_revoked',
    );
  });
});

describe('keys', () => {
  test('a new one is found when it turns up', async () => {
    authority.keys.push(await newPrivateJwk());
    ticks += ACCESS_LIMITS.keyRefreshMs;
    expect(await reasonOf(verifier.verify(await authority.token()))).toBe('accepted');
  });

  test('unknown ones cost one question in the bound, however many there are', async () => {
    ticks += ACCESS_LIMITS.keyRefreshMs;
    const before = { ...authority.asked };
    const tokens = await Promise.all(
      Array.from({ length: 100 }, (_, one) => authority.token({}, { kid: `unknown-${one}` })),
    );
    const reasons = await Promise.all(tokens.map((token) => reasonOf(verifier.verify(token))));
    expect(new Set(reasons)).toEqual(new Set(['token_invalid']));
    expect(authority.asked).toEqual({ ...before, feed: before.feed + 1 });
  });

  test('a retired one ends what it signed with the next look at the feed, remembered or not', async () => {
    const token = await authority.token();
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    authority.keys = [await newPrivateJwk()];
    await verifier.refresh();
    expect(await reasonOf(verifier.verify(token))).toBe('token_invalid');
    expect(await reasonOf(verifier.verify(await authority.token()))).toBe('accepted');
  });

  test('an instance does not become another one', async () => {
    authority.issuer = 'urn:scs:other';
    await expect(verifier.refresh()).rejects.toThrow('another instance');
    expect(await reasonOf(verifier.verify(await authority.token()))).toBe('token_invalid');
  });
});
