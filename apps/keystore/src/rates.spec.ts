import { describe, expect, it } from 'vitest';
import { LIMITS } from './limits.js';
import { Pace } from './rates.js';

describe('a pace', () => {
  it('lets some through at once, then one an interval; who is refused is not counted', () => {
    let now = 1_000_000;
    const pace = new Pace(100, 3, () => now);
    expect([1, 2, 3, 4, 5].map(() => pace.take('a', 0))).toEqual([0, 0, 0, 100, 100]);
    expect(pace.take('b', 0)).toBe(0);
    now += 100;
    expect([1, 2].map(() => pace.take('a', 0))).toEqual([0, 100]);
    now += 10_000;
    expect([1, 2, 3, 4].map(() => pace.take('a', 0))).toEqual([0, 0, 0, 100]);
  });

  it('lets as many through at once, whatever part of a millisecond the clock shows', () => {
    for (let now = 0.1; now < 1e9; now *= 1.7) {
      const pace = new Pace(1000, 2, () => now);
      expect([1, 2, 3].map(() => pace.take('a', 0) > 0)).toEqual([false, false, true]);
    }
  });

  it('holds up by what is too early, never longer than it may', () => {
    let now = 0;
    const pace = new Pace(100, 1, () => now);
    expect([1, 2, 3, 4, 5, 6].map(() => pace.take('a', 250))).toEqual([0, 100, 200, 250, 250, 250]);
    now += 250;
    expect(pace.take('a', 250)).toBe(100);
  });

  it('forgets who is through, and keeps a bounded number', () => {
    let now = 0;
    const pace = new Pace(1000, 1, () => now);
    for (let n = 0; n < LIMITS.rememberedRates; n += 1) pace.take(`early${n}`, 0);
    now += 2000;
    pace.take('late', 0);
    expect(pace.size).toBe(1);
    for (let n = 0; n < LIMITS.rememberedRates + 10; n += 1) pace.take(`many${n}`, 0);
    expect(pace.size).toBe(LIMITS.rememberedRates);
  });
});
