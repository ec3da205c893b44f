import { describe, expect, it } from 'vitest';
import { type Look, settled } from './look.js';

/** Reads one thing after the other; each reading sees the next of these. */
function reading(...readings: readonly (readonly [number, number])[]) {
  let count = 0;
  return {
    read: async (look: Look): Promise<string> => {
      const [first, second] = readings[count] ?? readings.at(-1) ?? [0, 0];
      count += 1;
      look.sawDocument({ id: 'a', revision: first, value: {} });
      look.sawDocument({ id: 'b', revision: second, value: {} });
      return `${first} ${second}`;
    },
    count: () => count,
  };
}

describe('a look at what is being changed', () => {
  it('is taken when it has shown the same twice in a row', async () => {
    const { read, count } = reading([1, 1]);
    expect(await settled(20, read)).toBe('1 1');
    expect(count()).toBe(2);
  });

  it('is not taken when it may have seen the one before and the other after a change', async () => {
    const { read, count } = reading([1, 2], [2, 2], [2, 3], [3, 3]);
    expect(await settled(20, read)).toBe('3 3');
    expect(count()).toBe(5);
  });

  it('is not taken when the same comes back after something else', async () => {
    const { read } = reading([1, 1], [2, 2], [1, 1], [4, 4]);
    expect(await settled(20, read)).toBe('4 4');
  });

  it('is given up when nothing stands still', async () => {
    let revision = 0;
    const read = async (look: Look) => look.saw((revision += 1));
    expect(await settled(6, read)).toBeUndefined();
    expect(revision).toBe(6);
  });
});
