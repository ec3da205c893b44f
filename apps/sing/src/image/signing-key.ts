import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, expected } from '#libs/core';
import type { PgpKey } from '#libs/pgp';
import { openKeyRing, titleOf } from '../key/ring.js';

export interface KeyChoice {
  /** Index in `sing key list --secret`. */
  readonly index: number | undefined;
  /** Fingerprint, key id or part of a user id. */
  readonly query: string | undefined;
  /** File whose first line is the passphrase. */
  readonly passphraseFile: string | undefined;
}

/** The unlocked private key to sign with: the one that was named, the only one, or the one that the person chooses. */
export async function signingKey(place: Surroundings, choice: KeyChoice): Promise<PgpKey> {
  const { isLocked, unlockKey } = await import('#libs/pgp');
  const key = await chooseKey(place, choice);
  if (!isLocked(key)) return key;
  return unlockKey(
    key,
    await passphraseFor(place, choice.passphraseFile, `the key of ${await titleOf(key)}`),
  );
}

/** A passphrase: the first line of a file that was named, or what the person types. */
export async function passphraseFor(
  place: Surroundings,
  file: string | undefined,
  what: string,
): Promise<string> {
  if (file !== undefined) return (await readFile(resolve(place.cwd, file), 'utf8')).split('\n')[0] ?? '';
  return place.prompts.password({
    message: `Passphrase for ${what}`,
    flag: '--passphrase-file FILE',
    fromPipe: true,
  });
}

async function chooseKey(place: Surroundings, { index, query }: KeyChoice): Promise<PgpKey> {
  const { findKey, fingerprintOf } = await import('#libs/pgp');
  const keys = await (await openKeyRing(place)).keys('secret');
  const [only] = keys;
  if (only === undefined) {
    throw new DomainError('not_found', 'Failed to sign container: there is no private key to sign with', {
      reason: 'no_private_key',
      remedy: 'Make one: sing key newpair',
    });
  }
  if (query !== undefined) return findKey(keys, query);
  if (index !== undefined) {
    const key = keys[index];
    if (key !== undefined) return key;
    throw new DomainError(
      'bad_request',
      expected(`a number from 0 to ${keys.length - 1}`, '--keyidx', index),
      {
        reason: 'no_such_key',
        remedy: 'See the numbers: sing key list --secret',
      },
    );
  }
  if (keys.length === 1) return only;
  const options = await Promise.all(
    keys.map(async (key) => ({ value: fingerprintOf(key), label: await titleOf(key) })),
  );
  const chosen = await place.prompts.select({
    message: 'Sign with which key?',
    flag: '--fingerprint KEY',
    fromPipe: true,
    options,
  });
  return findKey(keys, chosen);
}
