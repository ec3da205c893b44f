import { describe, expect, it } from 'vitest';
import { KeyedLock } from './keyed-lock.js';

describe('a lock by key', () => {
  it('lets one in at a time, in order, and others pass; a failure lets the next in; nothing is kept', async () => {
    const lock = new KeyedLock();
    const said: string[] = [];
    const open = new Map<string, () => void>();
    const work = (name: string) => async () => {
      said.push(`${name} begins`);
      await new Promise<void>((resolve) => open.set(name, resolve));
      said.push(`${name} ends`);
      if (name === 'a1') throw new Error('a1 fails');
      return name;
    };
    const [a1, a2, b] = [lock.run('a', work('a1')), lock.run('a', work('a2')), lock.run('b', work('b'))];
    const failed = a1.catch((error: unknown) => String(error));
    await Promise.resolve();
    await Promise.resolve();
    expect(said).toEqual(['a1 begins', 'b begins']);
    open.get('b')?.();
    expect(await b).toBe('b');
    open.get('a1')?.();
    expect(await failed).toBe('Error: a1 fails');
    await expect.poll(() => said).toContain('a2 begins');
    open.get('a2')?.();
    expect(await a2).toBe('a2');
  });
});
