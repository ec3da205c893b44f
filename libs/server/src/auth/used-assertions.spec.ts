import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { importJWK, SignJWT } from 'jose';
import { DomainError, ManualClock } from '#libs/core';
import { type Documents, openDocuments, TEMPORARY_DATABASE } from '#libs/documents';
import { ClientAssertions } from './client-assertions.js';
import { newPrivateJwk, publicPart } from './service-key.js';
import { UsedAssertions } from './used-assertions.store.js';

describe('assertions that were used', () => {
  let documents: Documents;
  let used: UsedAssertions;
  beforeEach(async () => {
    documents = await openDocuments(TEMPORARY_DATABASE, { service: 'auth', log: () => undefined });
    used = new UsedAssertions(documents);
  });
  afterEach(() => documents.close());
  const at = (now: number) => ({ now, until: now + 180 });

  test('are known to whoever has the database, each by all of its name', async () => {
    const long = `builder ${'x'.repeat(5000)}`;
    expect(await used.use(long, at(0))).toBe(true);
    expect(await used.use(`${long}y`, at(0))).toBe(true);
    expect(await used.use(long, at(1))).toBe(false);
    expect(await new UsedAssertions(documents).use(long, at(2))).toBe(false);
  });

  test('are forgotten when they are too old to be taken, however many there are', async () => {
    for (let index = 0; index < 1200; index += 1) await used.use(`builder ${index}`, { now: 0, until: 100 });
    await used.use('builder young', { now: 0, until: 1000 });
    // Those of the last second are kept; then some go with every use, until none of them is left.
    expect(await used.use('builder 0', { now: 100, until: 300 })).toBe(false);
    for (let turn = 0; turn < 3; turn += 1) await used.use(`builder turn ${turn}`, { now: 161, until: 300 });
    expect(await used.use('builder 0', { now: 162, until: 300 })).toBe(true);
    expect(await used.use('builder 1199', { now: 162, until: 300 })).toBe(true);
    expect(await used.use('builder young', { now: 999, until: 1000 })).toBe(false);
  });
});

test('an assertion is not taken, and not called wrong, while nobody knows whether it was used', async () => {
  const clock = new ManualClock('2026-05-01T12:00:00Z');
  const jwk = await newPrivateJwk();
  const away = new DomainError('unavailable', 'The database does not answer');
  const assertions = new ClientAssertions({
    clock,
    find: async () => publicPart(jwk),
    used: { use: () => Promise.reject(away) },
  });
  const now = Math.floor(clock.now().getTime() / 1000);
  const assertion = await new SignJWT({ jti: 'a'.repeat(32) })
    .setProtectedHeader({ alg: 'ES256', typ: 'client-authentication+jwt', kid: jwk.kid })
    .setIssuer('builder')
    .setSubject('builder')
    .setAudience('urn:scs:x')
    .setIssuedAt(now)
    .setExpirationTime(now + 60)
    .sign(await importJWK(jwk, 'ES256'));
  await expect(assertions.serviceOf(assertion, 'urn:scs:x')).rejects.toBe(away);
  await expect(assertions.serviceOf(assertion, 'urn:scs:y')).rejects.toMatchObject({
    reason: 'client_assertion_invalid',
  });
});
