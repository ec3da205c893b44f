import { printable, type Surroundings } from '#libs/cli';
import type { KeysClient, KeystoreClient } from '#libs/client';
import { DomainError } from '#libs/core';
import type { KeyRing, PgpKey } from '#libs/pgp';
import { ask } from './asking.js';
import { type Fetched, type Heard, KnownChanges, sha256 } from './known-changes.js';
import { openKeyRing } from './ring.js';
import { type KeyServer, tellFailed, withKeyServers, withLogin } from './server.js';

/** Fingerprints of one question (ADR 14). */
const ONE_QUESTION = 100;

type Change = Heard['changes'][number];

/** A key of the own ring, and what became of it. */
interface Refreshed {
  readonly fingerprint: string;
  readonly userId: string;
  /** `unknown`: the key server has none; `removed`: it has it no more. */
  readonly status: 'updated' | 'unchanged' | 'unknown' | 'removed';
  readonly revoked: boolean;
  readonly becameRevoked: boolean;
  readonly expires: string | null;
}

/** What is fetched of a key, and why not. */
interface Wanted {
  readonly key: PgpKey;
  readonly fingerprint: string;
  /** Undefined: the key server does not say. */
  readonly change: Change | undefined;
  readonly fetch: boolean;
}

interface Work {
  readonly place: Surroundings;
  readonly ring: KeyRing;
  readonly known: KnownChanges;
  readonly keys: KeysClient;
  readonly keystore: KeystoreClient;
}

/**
 * Fetches what changed of the keys in the own ring, and says what became of them. What one key server does not know is asked of the
 * next.
 */
export async function refresh(
  place: Surroundings,
  queries: readonly string[],
  { url, all, json }: { url: string | undefined; all: boolean; json: boolean },
): Promise<void> {
  const ring = await openKeyRing(place);
  const chosen = await keysOf(ring, queries);
  const refreshed = await withKeyServers(place, url, (servers) =>
    inOrder(place, servers, chosen, async (server, left) => {
      const work = await workWith(place, ring, server);
      return fetchAll(work, await wantedOf(work, left, all));
    }),
  );
  if (json) place.out.json({ keys: refreshed });
  else say(place, refreshed);
}

/** Asks the key servers in their order, each for the keys that the ones before it do not have. */
async function inOrder(
  place: Surroundings,
  servers: readonly KeyServer[],
  chosen: readonly PgpKey[],
  bringFrom: (server: KeyServer, left: readonly PgpKey[]) => Promise<readonly Refreshed[]>,
): Promise<readonly Refreshed[]> {
  const { fingerprintOf } = await import('#libs/pgp');
  const outcomes = new Map<string, Refreshed>();
  let failure: unknown;
  for (const server of servers) {
    const left = chosen.filter(
      (key) => (outcomes.get(fingerprintOf(key))?.status ?? 'unknown') === 'unknown',
    );
    if (left.length === 0) break;
    try {
      for (const one of await bringFrom(server, left)) outcomes.set(one.fingerprint, one);
    } catch (error) {
      place.signal.throwIfAborted();
      failure = withLogin(error, server);
      if (servers.length > 1) tellFailed(place, server, failure);
    }
  }
  if (outcomes.size === 0 && failure !== undefined) throw failure;
  return [...outcomes.values()];
}

async function workWith(place: Surroundings, ring: KeyRing, server: KeyServer): Promise<Work> {
  const { KeysClient, KeystoreClient } = await import('#libs/client');
  const http = await server.open();
  const keys = new KeysClient(http, { signal: place.signal });
  return {
    place,
    ring,
    known: new KnownChanges(place, server.name),
    keys,
    keystore: new KeystoreClient(http),
  };
}

async function keysOf(ring: KeyRing, queries: readonly string[]): Promise<readonly PgpKey[]> {
  const { findKey } = await import('#libs/pgp');
  const keys = await ring.keys('public');
  return queries.length === 0 ? keys : [...new Set(queries.map((query) => findKey(keys, query)))];
}

/** Asks for all keys together, a hundred at a time. A key server of another make says nothing: then all are fetched. */
async function wantedOf(
  { place, known, keys }: Work,
  chosen: readonly PgpKey[],
  all: boolean,
): Promise<readonly Wanted[]> {
  const { fingerprintOf } = await import('#libs/pgp');
  const wanted: Wanted[] = [];
  for (let at = 0; at < chosen.length; at += ONE_QUESTION) {
    const some = chosen.slice(at, at + ONE_QUESTION);
    const heard = await ask(keys, known, some.map(fingerprintOf));
    if (heard.silent === true)
      place.log.verbose('This key server does not tell what changed: every key is fetched');
    const changes = new Map(heard.changes.map((one) => [one.fingerprint.toUpperCase(), one]));
    for (const key of some) {
      const fingerprint = fingerprintOf(key);
      const change = changes.get(fingerprint);
      const fetch = heard.silent === true || (await isNews(known, key, fingerprint, change, all));
      wanted.push({ key, fingerprint, change, fetch });
    }
  }
  return wanted;
}

/** Whether there is something that our copy does not have: it changed since we fetched it, or ours is not what we fetched. */
async function isNews(
  known: KnownChanges,
  { bytes }: PgpKey,
  fingerprint: string,
  change: Change | undefined,
  all: boolean,
): Promise<boolean> {
  if (change === undefined || change.state === 'removed') return false;
  const fetched = await known.fetched(fingerprint);
  return all || fetched?.sequence !== change.sequence || fetched.copy !== sha256(bytes);
}

async function fetchAll(work: Work, wanted: readonly Wanted[]): Promise<readonly Refreshed[]> {
  const { describeKey } = await import('#libs/pgp');
  const now = new Date();
  const before = new Map(
    await Promise.all(
      wanted.map(async ({ key, fingerprint }) => [fingerprint, await describeKey(key, now)] as const),
    ),
  );
  const updated = await bring(work, wanted);
  const after = new Map(
    (await keysOf(work.ring, [])).map((key) => [key.key.getFingerprint().toUpperCase(), key]),
  );
  const fetched = new Map<string, Fetched>();
  const refreshed: Refreshed[] = [];
  for (const { fingerprint, change, fetch } of wanted) {
    const key = after.get(fingerprint);
    if (key === undefined) continue;
    if (change !== undefined && fetch)
      fetched.set(fingerprint, { sequence: change.sequence, copy: sha256(key.bytes) });
    const { userIds, revoked, expires } = await describeKey(key, now);
    refreshed.push({
      fingerprint,
      userId: userIds[0] ?? '',
      status: updated.get(fingerprint) ?? statusOf(change),
      revoked,
      becameRevoked: revoked && before.get(fingerprint)?.revoked === false,
      expires: expires?.toISOString() ?? null,
    });
  }
  if (fetched.size > 0) await work.known.fetch(fetched);
  return refreshed;
}

/** Fetches the keys and puts them into the ring. @returns what became of each that was fetched */
async function bring(
  { place, ring, keystore }: Work,
  wanted: readonly Wanted[],
): Promise<ReadonlyMap<string, 'updated' | 'unchanged' | 'unknown'>> {
  const news: PgpKey[] = [];
  const outcomes = new Map<string, 'updated' | 'unchanged' | 'unknown'>();
  for (const { fingerprint, fetch } of wanted) {
    if (!fetch) continue;
    const key = await fetchOne(keystore, fingerprint, place.signal);
    if (key === undefined) outcomes.set(fingerprint, 'unknown');
    else news.push(key);
  }
  if (news.length === 0) return outcomes;
  for (const { fingerprint, status } of await ring.import(news))
    outcomes.set(fingerprint, status === 'unchanged' ? 'unchanged' : 'updated');
  return outcomes;
}

async function fetchOne(
  keystore: KeystoreClient,
  fingerprint: string,
  signal: AbortSignal,
): Promise<PgpKey | undefined> {
  const answer = await keystore.get(`0x${fingerprint.toLowerCase()}`, { signal });
  if (answer === undefined) return undefined;
  const { fingerprintOf, isSecret, readKeys } = await import('#libs/pgp');
  // Another key than was asked for must not get into the ring.
  const key = (await readKeys(answer)).find((one) => !isSecret(one) && fingerprintOf(one) === fingerprint);
  if (key !== undefined) return key;
  throw new DomainError('unavailable', 'The key server answered with another key than was asked for', {
    reason: 'wrong_key',
  });
}

function statusOf(change: Change | undefined): Refreshed['status'] {
  if (change === undefined) return 'unknown';
  return change.state === 'removed' ? 'removed' : 'unchanged';
}

function say({ log }: Surroundings, refreshed: readonly Refreshed[]): void {
  const count = (status: Refreshed['status']): number =>
    refreshed.filter((one) => one.status === status).length;
  for (const { fingerprint, userId, status, becameRevoked } of refreshed) {
    const title = `${printable(userId)} (${fingerprint})`;
    if (becameRevoked)
      log.warning(`The key of ${title} is REVOKED`, 'Trust nothing that it signs from now on');
    else if (status === 'updated') log.info(`Public key of ${title}: brought up to date`);
    else if (status === 'removed') log.verbose(`The key server has the key of ${title} no more`);
    else if (status === 'unknown') log.verbose(`The key server has no key of ${title}`);
  }
  log.info(
    `${refreshed.length} keys: ${count('updated')} brought up to date, ${count('unchanged')} up to date already, ` +
      `${count('unknown') + count('removed')} not on the key server`,
  );
}
