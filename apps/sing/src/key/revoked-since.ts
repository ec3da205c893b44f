import type { Surroundings } from '#libs/cli';
import { DomainError, messageOf } from '#libs/core';
import type { PgpKey } from '#libs/pgp';
import { ask, isFresh, QUICK, quick } from './asking.js';
import { type Heard, KnownChanges } from './known-changes.js';
import { type KeyServer, withKeyServers } from './server.js';
import { titleOf } from './ring.js';

/**
 * Keys of the own ring without those that were revoked since they were fetched, as the key server says: it is asked once in some
 * minutes, in one conditional request, and not waited for long. Whoever verifies then finds the revoked key there. Where the
 * question is not answered, that is a warning, and the keys count as they are.
 */
export async function withoutRevoked(
  place: Surroundings,
  url: string | undefined,
  keys: readonly PgpKey[],
): Promise<readonly PgpKey[]> {
  const { fingerprintOf } = await import('#libs/pgp');
  const now = new Date();
  const good: PgpKey[] = [];
  for (const key of keys) {
    // What our copy says itself needs no question.
    const known = await key.key.isRevoked(undefined, undefined, now);
    const heard = known ? undefined : await hear(place, url, fingerprintOf(key));
    if (heard?.changes.some(({ state }) => state === 'revoked') === true)
      place.log.warning(
        `The key of ${await titleOf(key)} in your key ring is REVOKED: the key server says so`,
        'Bring your key ring up to date: sing key refresh',
      );
    else good.push(key);
  }
  return good;
}

/** What the key servers say of a key, the first that knows it; undefined when nobody can be asked. */
async function hear(
  place: Surroundings,
  url: string | undefined,
  fingerprint: string,
): Promise<Heard | undefined> {
  const patient = quick(place);
  try {
    return await withKeyServers(patient, url, async (servers) => {
      let heard: Heard | undefined;
      for (const server of servers) {
        heard = await hearFrom(place, patient, server, fingerprint);
        if (heard.changes.length > 0) break;
      }
      return heard;
    });
  } catch (error) {
    place.signal.throwIfAborted();
    // Without a remote there is nobody to ask, and nothing to warn of.
    if (error instanceof DomainError && error.reason === 'no_remote') return undefined;
    warn(place, fingerprint, reasonOf(error));
    return undefined;
  }
}

async function hearFrom(
  place: Surroundings,
  patient: Surroundings,
  server: KeyServer,
  fingerprint: string,
): Promise<Heard> {
  const known = new KnownChanges(place, server.name);
  const before = await known.heard([fingerprint]);
  if (before !== undefined && isFresh(before)) {
    if (before.failed === true) warn(place, fingerprint, 'it did not answer a moment ago');
    return before;
  }
  try {
    const { KeysClient } = await import('#libs/client');
    const keys = new KeysClient(await server.open(), { signal: patient.signal });
    return await ask(keys, known, [fingerprint], QUICK);
  } catch (error) {
    place.signal.throwIfAborted();
    warn(place, fingerprint, reasonOf(error));
    // So that whoever verifies a hundred images waits once.
    const failed = { changes: [], ...before, asked: Date.now(), failed: true };
    await known.hear([fingerprint], failed);
    return failed;
  }
}

function warn({ log }: Surroundings, fingerprint: string, why: string): void {
  log.warning(
    `Whether the key ${fingerprint} was revoked since you have it is not known: the key server was not reached (${why})`,
    'To verify without asking: sing verify --local',
  );
}

const reasonOf = (error: unknown): string =>
  error instanceof Error && error.name === 'TimeoutError'
    ? `no answer within ${QUICK / 1000} seconds`
    : messageOf(error);
