import type { Surroundings } from '#libs/cli';
import type { KeysClient } from '#libs/client';
import { DomainError } from '#libs/core';
import type { Heard, KnownChanges } from './known-changes.js';

/**
 * What the key server says of some keys (at most a hundred), in one conditional request.
 * @throws DomainError when it does not answer; what it said before stays known
 */
export async function ask(
  keys: KeysClient,
  known: KnownChanges,
  fingerprints: readonly string[],
  timeout?: number,
): Promise<Heard> {
  const before = await known.heard(fingerprints);
  const options = { etag: before?.etag, ...(timeout !== undefined && { timeout }) };
  const asked = Date.now();
  let heard: Heard;
  try {
    const answer = await keys.changesOf(fingerprints, options);
    const unchanged = before !== undefined && answer === undefined;
    heard = unchanged
      ? { ...before, asked, failed: false }
      : { asked, etag: answer?.etag, changes: answer?.changes ?? [] };
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'not_found') throw error;
    heard = { asked, changes: [], silent: true };
  }
  await known.hear(fingerprints, heard);
  return heard;
}

/** As long as this what was heard is good enough, in milliseconds; and as long as this nobody is asked again who did not answer. */
const FRESH = 5 * 60 * 1000;
const PATIENCE = 60 * 1000;
/** Milliseconds that a question may take which nobody asked for. */
export const QUICK = 3_000;

/** Whether nothing need be asked: something was heard, or not heard, a moment ago. */
export function isFresh({ asked, failed }: Heard): boolean {
  const age = Date.now() - asked;
  return age >= 0 && age < (failed === true ? PATIENCE : FRESH);
}

/** The surroundings with a shorter patience: the question and everything that it needs end then. */
export function quick(place: Surroundings): Surroundings {
  const signal = AbortSignal.any([place.signal, AbortSignal.timeout(QUICK)]);
  // No copy: that would open standard input.
  return Object.create(place, { signal: { value: signal } }) as Surroundings;
}
