import { describe, expect, it } from 'vitest';
import { Turns } from './turns.js';

describe('turns', () => {
  it('are taken one after the other, also after a failure, and others go on meanwhile', async () => {
    const turns = new Turns();
    const done: string[] = [];
    const first = Promise.withResolvers<void>();
    const all = Promise.allSettled([
      turns.take('a', async () => {
        await first.promise;
        done.push('a1');
        throw new Error('no');
      }),
      turns.take('a', async () => done.push('a2')),
      turns.take('b', async () => {
        done.push('b');
        first.resolve();
      }),
    ]);
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(done).toEqual(['b', 'a1', 'a2']);
    expect(await turns.take('a', async () => 3)).toBe(3);
  });
});
