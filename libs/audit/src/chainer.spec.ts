import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TRAIL_LIMITS } from './limits.js';
import { temporaryTrails } from './testing/temporary-trails.js';
import { tagSet, type TrailWorld } from './testing/trail-world.js';

/* How long it takes is told by the time that the chainer itself waits: by the clock on the wall, others on the machine would have a say. */
describe('a chainer by its own time', () => {
  let world: TrailWorld;
  temporaryTrails((made) => (world = made));
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    await world.chainer.start();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const signedUpTo = async () => (await world.verify()).signedUpTo;
  /** Lets time go by, and what it does then be done: only when nothing is, it waits for its next look. A poll would let more time go by. */
  const pass = async (milliseconds: number): Promise<void> => {
    vi.advanceTimersByTime(milliseconds);
    while (vi.getTimerCount() === 0) await setImmediate();
  };

  it('that is told of a write has it in the chain, signed, within a second', async () => {
    const write = world.trail.write(tagSet(1));
    world.chainer.note();
    await world.documents.commit([write]);
    expect(await signedUpTo()).toBe(0);
    for (let time = 0; time < 1000; time += 100) await pass(100);
    expect(await signedUpTo()).toBe(1);
    await world.chainer.stop();
  });

  it('signs at most one head a second while something happens, and the last one at the end', async () => {
    const kept: number[] = [];
    const append = world.heads.append.bind(world.heads);
    vi.spyOn(world.heads, 'append').mockImplementation(async (head, signed) => {
      kept.push(performance.now());
      await append(head, signed);
    });
    for (let n = 1; n <= 60; n += 1) {
      await world.trail.record(tagSet(n));
      world.chainer.note();
      await pass(50);
    }
    const whileItHappens = kept.length;
    await world.chainer.stop();
    for (const [at, time] of kept.slice(1, whileItHappens).entries())
      expect(time - (kept[at] ?? 0)).toBeGreaterThanOrEqual(TRAIL_LIMITS.headEvery);
    // Three seconds: the first after 0.4 s, two more, and what has come since then.
    expect([whileItHappens, kept.length]).toEqual([3, 4]);
    expect(await world.verify()).toMatchObject({
      last: { sequence: 60 },
      heads: 4,
      signedUpTo: 60,
      problems: [],
    });
  });
});
