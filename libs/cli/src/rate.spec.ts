import { expect, it } from 'vitest';
import { Rate } from './rate.js';

const MIB = 1024 * 1024;

it('is what went through in the last seconds, not from the beginning', () => {
  let now = 0;
  const rate = new Rate(() => now);
  const go = (seconds: number, perSecond: number, from: number): number => {
    let done = from;
    for (let tick = 0; tick < seconds * 10; tick += 1) {
      now += 100;
      rate.update((done += perSecond / 10));
    }
    return done;
  };
  // What an earlier attempt has left took no time.
  rate.update(500 * MIB);
  expect(rate.now()).toBeUndefined();
  const done = go(30, 10 * MIB, 500 * MIB);
  expect(rate.now()).toBeCloseTo(10 * MIB, -5);
  const more = go(30, MIB, done);
  expect(rate.now()).toBeCloseTo(MIB, -5);
  // Standing still makes it slower and slower, and then there is none.
  now += 15_000;
  expect(rate.now()).toBeLessThan(0.6 * MIB);
  rate.update(more);
  now += 60_000;
  rate.update(more);
  now += 1000;
  expect(rate.now()).toBeUndefined();
});

it('begins anew with what it is the rate of', () => {
  let now = 0;
  const rate = new Rate(() => now);
  rate.update(0);
  now += 1000;
  rate.update(100);
  now += 1000;
  rate.update(0);
  now += 1000;
  rate.update(50);
  expect(rate.now()).toBe(50);
});
