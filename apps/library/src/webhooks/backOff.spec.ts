import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.js';
import { nextAttempt, pauseOf } from './backOff.js';
import { signatureOf } from './signature.js';

describe('what has failed', () => {
  it('is tried again after twice as long each time, for a day, and a last time at its end', () => {
    const until = LIMITS.deliveryEnd;
    const pauses: number[] = [];
    let now = 0;
    for (let attempts = 1; ; attempts += 1) {
      const next = nextAttempt(attempts, now, until, LIMITS);
      if (next === undefined) break;
      pauses.push(Math.round((next - now) / 1000));
      now = next;
    }
    expect(pauses.slice(0, 12)).toEqual([10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 14_400]);
    expect(now).toBe(until);
    expect(pauses.length).toBeLessThan(20);
  });

  it('leaves its webhook alone the longer it fails, and not for too long', () => {
    expect([0, 60_000, 4 * 3_600_000].map((failing) => pauseOf(failing, LIMITS))).toEqual([
      10_000,
      15_000,
      LIMITS.webhookPauseMost,
    ]);
  });
});

it('a signature is over the time and the body', () => {
  // Made with: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
  expect(signatureOf('key', 1_700_000_000, '{}')).toBe(
    't=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae',
  );
});
