import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BLOB_LIMITS } from './limits.js';
import { RollingHash } from './rollingHash.js';
import { startHash } from './runningHash.js';

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
/** What a thread cannot hash: it ends of it. */
const UNHASHABLE = { buffer: new SharedArrayBuffer(1) } as unknown as Buffer;

describe.each([
  ['here', 1],
  ['in a thread', BLOB_LIMITS.hashElsewhere],
])('a running hash %s', (_, size) => {
  it('is the hash of the chunks in their order, and goes on', async () => {
    const data = randomBytes(1000);
    const hash = startHash(size);
    // Not awaited: calls count in their order.
    const updates = [hash.update([data.subarray(0, 10), data.subarray(10, 300)])];
    const first = hash.digest();
    updates.push(hash.update([]), hash.update([data.subarray(300)]));
    expect(await first).toBe(sha256(data.subarray(0, 300)));
    expect(await hash.digest()).toBe(sha256(data));
    await Promise.all(updates);
    hash.end();
  });

  it('is not changed by what happens to the chunks afterwards, nor by its copies', async () => {
    const chunk = Buffer.from(new SharedArrayBuffer(4)).fill('a');
    const hash = startHash(size);
    await hash.update([chunk]);
    chunk.fill('b');
    const copy = hash.copy();
    await copy.update([chunk]);
    expect(await hash.digest()).toBe(sha256(Buffer.from('aaaa')));
    expect(await copy.digest()).toBe(sha256(Buffer.from('aaaabbbb')));
    hash.end();
    await copy.update([Buffer.from('c')]);
    expect(await copy.digest()).toBe(sha256(Buffer.from('aaaabbbbc')));
    copy.end();
  });
});

describe('a hash thread', () => {
  it('that stops says so to everybody who waits, and the next hash has another one', async () => {
    const hash = startHash(BLOB_LIMITS.hashElsewhere);
    const waiting = [hash.update([UNHASHABLE]), hash.digest(), hash.copy().digest()];
    for (const one of waiting) await expect(one).rejects.toThrow('The hash thread has stopped');
    await expect(hash.update([])).rejects.toThrow('The hash thread has stopped');
    hash.end();
    const next = startHash(BLOB_LIMITS.hashElsewhere);
    await next.update([Buffer.from('data')]);
    expect(await next.digest()).toBe(sha256(Buffer.from('data')));
    next.end();
  });
});

describe('a rolling hash of a large file', () => {
  const data = randomBytes(3 * BLOB_LIMITS.batchBytes + 17);
  const read = async (target: Buffer, at: number): Promise<number> => data.copy(target, 0, at);
  const newHash = (): RollingHash => new RollingHash(BLOB_LIMITS.hashElsewhere);

  it('reads what did not pass', async () => {
    const hash = newHash();
    const writer = hash.follow(0, 100);
    await writer?.update([data.subarray(0, 100)]);
    writer?.keep();
    expect(hash.follow(200, 100)).toBeUndefined();
    const from: number[] = [];
    const found = await hash.finish(data.length, async (target, at) => {
      from.push(at);
      return read(target, at);
    });
    expect(found).toBe(sha256(data));
    expect(from[0]).toBe(100);
    hash.forget();
  });

  it('begins anew after its thread has stopped', async () => {
    const hash = newHash();
    const writer = hash.follow(0, 100);
    await expect(writer?.update([UNHASHABLE])).rejects.toThrow('The hash thread has stopped');
    expect(await hash.finish(data.length, read)).toBe(sha256(data));
    hash.forget();
  });

  it('begins anew when a read fails in the middle', async () => {
    const hash = newHash();
    let broken = true;
    const once = async (target: Buffer, at: number): Promise<number> => {
      if (broken && at > 0) throw new Error('the disk failed');
      return read(target, at);
    };
    await expect(hash.finish(data.length, once)).rejects.toThrow('the disk failed');
    broken = false;
    expect(await hash.finish(data.length, once)).toBe(sha256(data));
    hash.forget();
  });
});
