import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { withSession } from '../../session.js';
import { fingerprintFor, withKeys } from '../keystore.js';

interface Flags {
  readonly json: boolean;
}

export async function addToKeyring(
  place: Surroundings,
  organisation: string,
  key: string,
  { json }: Flags,
): Promise<void> {
  const fingerprint = await fingerprintFor(place, key);
  const entry = await withKeys(place, (keys) => keys.addToKeyring(organisation, fingerprint));
  place.log.info(`Key ${fingerprint} is in the keyring of ${organisation}.`);
  if (json) place.out.json({ keys: [{ ...entry, fingerprint }] });
}

export async function removeFromKeyring(
  place: Surroundings,
  organisation: string,
  key: string,
  { json }: Flags,
): Promise<void> {
  const fingerprint = await fingerprintFor(place, key);
  const entry = await withKeys(place, (keys) => keys.removeFromKeyring(organisation, fingerprint));
  place.log.info(`Key ${fingerprint} is not in the keyring of ${organisation} any more.`);
  if (json) place.out.json({ keys: [{ ...entry, fingerprint }] });
}

/** Needs no token: keyrings are for everybody. */
export async function showKeyring(
  place: Surroundings,
  organisation: string,
  { armor, json }: Flags & { readonly armor: boolean },
): Promise<void> {
  const { KeysClient } = await import('#libs/client');
  const keyring = await withSession(place, async (session) => {
    const keys = new KeysClient(await session.service('keystore'), { signal: place.signal });
    return keys.keyring(organisation);
  });
  if (keyring === undefined)
    throw new DomainError('not_found', `There is no keyring of ${organisation}, or no key in it`, {
      reason: 'keyring_not_found',
    });
  if (armor) {
    place.out.text(keyring);
    return;
  }
  const { describeKey, readKeys } = await import('#libs/pgp');
  const now = new Date();
  const keys = await Promise.all((await readKeys(keyring)).map((key) => describeKey(key, now)));
  if (json) {
    place.out.json({
      keys: keys.map(({ fingerprint, userIds, algorithm, expires, revoked }) => ({
        fingerprint,
        userIds,
        algorithm,
        expires: expires?.toISOString() ?? null,
        revoked,
      })),
    });
    return;
  }
  place.out.table(
    ['FINGERPRINT', 'ENDS', 'USER ID'],
    keys.map(({ fingerprint, expires, revoked, userIds: [first = ''] }) => [
      fingerprint,
      revoked ? 'revoked' : (expires?.toISOString().slice(0, 10) ?? 'never'),
      first,
    ]),
  );
}
