import { describe, expect, it } from 'vitest';
import { Reading, type Sample } from './reading.js';

const of = (value: number): readonly Sample[] => [{ value }];

describe('a number that is looked up', () => {
  it('is looked up once, however many ask at the same time', async () => {
    let looks = 0;
    const { promise, resolve } = Promise.withResolvers<readonly Sample[]>();
    const reading = new Reading(() => ((looks += 1), promise), 0);
    const all = Promise.all([reading.get(), reading.get(), reading.get()]);
    resolve(of(7));
    expect(await all).toEqual([of(7), of(7), of(7)]);
    expect(looks).toBe(1);
  });

  it('is good for a while', async () => {
    let now = 0;
    let looks = 0;
    const reading = new Reading(
      () => of((looks += 1)),
      15,
      () => now,
    );
    expect(await reading.get()).toEqual(of(1));
    now = 14_999;
    expect(await reading.get()).toEqual(of(1));
    now = 15_000;
    expect(await reading.get()).toEqual(of(2));
  });

  it('is not said when the look fails, and looked up again by who asks next', async () => {
    let away = true;
    const reading = new Reading(async () => {
      if (away) throw new Error('away');
      return of(1);
    }, 15);
    expect(await reading.get()).toEqual([]);
    away = false;
    expect(await reading.get()).toEqual(of(1));
  });

  it('is not waited for when the look hangs, and is not looked up a second time meanwhile', async () => {
    let looks = 0;
    const { promise, resolve } = Promise.withResolvers<readonly Sample[]>();
    const reading = new Reading(() => ((looks += 1), promise), 15, undefined, 5);
    expect(await reading.get()).toEqual([]);
    expect(await reading.get()).toEqual([]);
    expect(looks).toBe(1);
    resolve(of(3));
    await promise;
    expect(await reading.get()).toEqual(of(3));
    expect(looks).toBe(1);
  });
});
