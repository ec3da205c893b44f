import type { Surroundings } from '#libs/cli';
import type { KeysClient } from '#libs/client';
import { DomainError, expected } from '#libs/core';
import { withSession, type Session } from '../session.js';
import { KEY_FAILURE, openKeyRing } from './ring.js';

/** Runs work with the keystore of the remote, as whoever is logged in there. @throws DomainError when nobody is */
export async function withKeys<T>(
  place: Surroundings,
  work: (keys: KeysClient, session: Session) => Promise<T>,
): Promise<T> {
  return withSession(place, async (session) => {
    session.requireToken();
    const { KeysClient } = await import('#libs/client');
    return work(new KeysClient(await session.service('keystore'), { signal: place.signal }), session);
  });
}

/**
 * The fingerprint that somebody means: a whole one, or that of a key in the own ring.
 * @returns upper-case hexadecimal
 */
export async function fingerprintFor(place: Surroundings, text: string): Promise<string> {
  const hex = text.replaceAll(' ', '').replace(/^0x/i, '');
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(hex)) return hex.toUpperCase();
  const { findKey, fingerprintOf, matchesKey, parseKeyQuery } = await import('#libs/pgp');
  const keys = await (await openKeyRing(place)).keys('public');
  if (keys.some((key) => matchesKey(key, parseKeyQuery(text)))) return fingerprintOf(findKey(keys, text));
  throw new DomainError(
    'bad_request',
    expected('a whole fingerprint, or a key of your key ring,', 'the key', text),
    {
      remedy: 'Find it: sing key search TEXT, or see your own: sing key list',
      exitCode: KEY_FAILURE,
    },
  );
}
