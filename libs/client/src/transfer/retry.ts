import { DomainError } from '#libs/core';
import { ResponseError } from '../http/failures.js';
import { TRANSFER } from './limits.js';

/** Untrusted certificates, refusals and wrong answers do not get better by waiting. */
const LASTING = new Set([
  'bad_answer',
  'bad_redirect',
  'certificate_expired',
  'certificate_not_yet_valid',
  'certificate_of_another_name',
  'changed',
  'insecure_redirect',
  'untrusted_certificate',
]);

/** What is going to happen after a failure. */
export interface Retry {
  /** Failures in a row, this one included. */
  readonly failures: number;
  /** So many in a row end the transfer. */
  readonly attempts: number;
  /** Milliseconds until the next attempt. */
  readonly pause: number;
}

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told before each pause, for people who wait. */
  readonly onRetry?: ((error: DomainError, retry: Retry) => void) | undefined;
  readonly attempts?: number;
  readonly backoff?: number;
}

/**
 * Tries until it works, waiting longer each time, and as long as the server asks (`Retry-After`); an attempt that made
 * progress starts the count anew.
 * @param attempt says so through `progressed` when it got further than the one before
 * @throws what the last attempt threw; the signal's reason
 */
export async function persist<T>(
  attempt: (progressed: () => void) => Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { signal, onRetry, attempts = TRANSFER.attempts } = options;
  for (let failures = 0; ;) {
    try {
      return await attempt(() => (failures = 0));
    } catch (error) {
      signal?.throwIfAborted();
      failures += 1;
      if (!isPassing(error) || failures >= attempts) throw error;
      const pause = pauseAfter(error, failures, options);
      if (pause === undefined) throw error;
      onRetry?.(error, { failures, attempts, pause });
      await sleep(pause, signal);
      signal?.throwIfAborted();
    }
  }
}

/** Whether an attempt failed because of the network or a server that is away, or has too much to do, for a moment. */
function isPassing(error: unknown): error is DomainError {
  if (!(error instanceof DomainError)) return false;
  // Without a time, too many requests are a limit that waiting does not lift.
  if (error instanceof ResponseError && error.code === 'too_many_requests')
    return error.retryAfter !== undefined;
  return error.code === 'unavailable' && !LASTING.has(error.reason);
}

/** Milliseconds; undefined when the server asks for more patience than anybody has. */
function pauseAfter(error: DomainError, failures: number, options: RetryOptions): number | undefined {
  const asked = (error.retryAfter ?? 0) * 1000;
  if (asked > TRANSFER.longestRetryAfter) return undefined;
  const backoff = Math.min(
    (options.backoff ?? TRANSFER.backoff) * 2 ** (failures - 1),
    TRANSFER.longestBackoff,
  );
  // Not all clients of a server that comes back at the same moment.
  return Math.max(backoff * (0.5 + Math.random() / 2), asked);
}

/** Until the time is over or the signal comes. */
function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal?.addEventListener('abort', wake);
  });
}
