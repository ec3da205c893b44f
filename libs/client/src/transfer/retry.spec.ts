import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DomainError } from '#libs/core';
import { ResponseError } from '../http/failures.js';
import { TRANSFER } from './limits.js';
import { persist, type Retry } from './retry.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Fails with each of the errors, then works. @returns what happened, and the pauses */
async function attempts(errors: readonly Error[], options: object = {}) {
  const pauses: Retry[] = [];
  let count = 0;
  const outcome = persist(
    async () => {
      const error = errors[count];
      count += 1;
      if (error !== undefined) throw error;
      return 'done';
    },
    { onRetry: (_, retry) => pauses.push(retry), ...options },
  ).catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  return { outcome: await outcome, count, pauses };
}
const away = new DomainError('unavailable', 'away');
const many = (error: Error) => Array.from({ length: 100 }, () => error);

describe('persist', () => {
  it('waits longer each time, and gives up after so many attempts without progress', async () => {
    const { outcome, count, pauses } = await attempts(many(away));
    expect([outcome, count]).toEqual([away, TRANSFER.attempts]);
    expect(pauses.map(({ failures }) => failures)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const [index, { pause, attempts: most }] of pauses.entries()) {
      const backoff = Math.min(TRANSFER.backoff * 2 ** index, TRANSFER.longestBackoff);
      expect(pause).toBeGreaterThanOrEqual(backoff / 2);
      expect(pause).toBeLessThanOrEqual(backoff);
      expect(most).toBe(TRANSFER.attempts);
    }
  });

  it('begins to count anew after progress', async () => {
    let count = 0;
    const outcome = persist(async (progressed) => {
      count += 1;
      if (count < 30) {
        progressed();
        throw away;
      }
      return 'done';
    });
    await vi.runAllTimersAsync();
    expect(await outcome).toBe('done');
  });

  it.each([
    ['a refusal', new DomainError('forbidden', 'no')],
    ['a certificate', new DomainError('unavailable', 'no', { reason: 'certificate_expired' })],
    ['a limit without a time', new ResponseError(429, 'too many')],
    ['a bug', new TypeError('x')],
  ])('gives up at once after %s', async (_, error) => {
    expect(await attempts(many(error))).toMatchObject({ outcome: error, count: 1 });
  });

  it('waits as long as the server asks, and not for one that asks for too much', async () => {
    const later = (status: number, seconds: number) =>
      new ResponseError(status, 'later', { retryAfter: seconds });
    const soon = await attempts([later(503, 40), later(429, 7)]);
    expect(soon.outcome).toBe('done');
    expect(soon.pauses.map(({ pause }) => pause)).toEqual([40_000, 7000]);
    const { outcome, count } = await attempts([later(503, 3601)]);
    expect([outcome, count]).toEqual([expect.objectContaining({ message: 'later' }), 1]);
  });

  it('ends within a pause when it is aborted', async () => {
    const stop = new AbortController();
    const outcome = persist(() => Promise.reject(away), { signal: stop.signal }).catch(
      (error: unknown) => error,
    );
    await vi.advanceTimersByTimeAsync(10);
    stop.abort(new Error('interrupted'));
    expect(await outcome).toMatchObject({ message: 'interrupted' });
  });
});
