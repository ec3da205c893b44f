import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '#libs/core';
import { TRANSFER } from './limits.js';

/** Untrusted certificates, refusals and wrong answers do not get better by waiting. */
const LASTING = new Set(['untrusted_certificate', 'bad_answer', 'bad_redirect', 'insecure_redirect']);

/** Whether an attempt failed because of the network or a server that is away for a moment. */
function isPassing(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'unavailable' && !LASTING.has(error.reason);
}

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told before each pause, for people who wait. */
  readonly onRetry?: ((error: DomainError, attempt: number) => void) | undefined;
  readonly attempts?: number;
  readonly backoff?: number;
}

/**
 * Tries until it works, waiting longer each time; an attempt that made progress starts the count anew.
 * @param attempt says `true` through `progressed` when it got further than the one before
 * @throws what the last attempt threw; the signal's reason
 */
export async function persist<T>(
  attempt: (progressed: () => void) => Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { signal, onRetry, attempts = TRANSFER.attempts, backoff = TRANSFER.backoff } = options;
  for (let failures = 0; ;) {
    try {
      return await attempt(() => (failures = 0));
    } catch (error) {
      signal?.throwIfAborted();
      failures += 1;
      if (!isPassing(error) || failures >= attempts) throw error;
      if (error instanceof DomainError) onRetry?.(error, failures);
      const pause =
        Math.min(backoff * 2 ** (failures - 1), TRANSFER.longestBackoff) * (0.5 + Math.random() / 2);
      await delay(pause, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      signal?.throwIfAborted();
    }
  }
}
