import type { KeyObject } from 'node:crypto';
import type { SigningJwk } from '#libs/contract';

/** A key that signs tokens, or did, or will. */
export interface SigningKey {
  /** The highest number is the newest. */
  readonly number: number;
  readonly jwk: SigningJwk;
  readonly secret: KeyObject;
  /** When it was made or put there, in milliseconds. */
  readonly since: number;
  /** Somebody put it there and started the service: it signs at once. */
  readonly byHand: boolean;
}

/** Milliseconds. */
export interface Schedule {
  /** After this a key is followed by a new one. */
  readonly age: number;
  /** A new key is published for this long before it signs, so that every service and every replica has seen it. */
  readonly wait: number;
  /** No token lives longer. */
  readonly lifetime: number;
}

/** Clocks of replicas may differ by this much. */
const MARGIN = 86_400_000;

type Times = Pick<SigningKey, 'number' | 'since' | 'byHand'>;

function signsFrom(key: Times, { wait }: Schedule): number {
  return key.byHand ? key.since : key.since + wait;
}

/** The key that signs now: the newest that was published long enough; the oldest when none was. */
export function signerAt<K extends Times>(keys: readonly K[], now: number, schedule: Schedule): K {
  const [oldest] = keys;
  if (oldest === undefined) throw new Error('There is no signing key');
  return keys.findLast((key) => key.byHand || signsFrom(key, schedule) <= now) ?? oldest;
}

/**
 * What is to be done with the keys, which are in the order of their numbers.
 * @returns the number of a key that is to be made, and the keys of which no token can be valid any more
 */
export function publishedAfter<K extends Times>(
  keys: readonly K[],
  now: number,
  schedule: Schedule,
): { readonly next: number | undefined; readonly gone: readonly K[] } {
  const newest = keys.at(-1);
  const due = newest !== undefined && now - newest.since >= schedule.age;
  const gone = keys.filter((_, index) => {
    const follower = keys[index + 1];
    // From then on it signed nothing, and what it signed lived at most so long.
    return follower !== undefined && now >= signsFrom(follower, schedule) + schedule.lifetime + MARGIN;
  });
  return { next: due ? newest.number + 1 : undefined, gone };
}
