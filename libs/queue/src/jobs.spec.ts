import { describe, expect, it } from 'vitest';
import { handlersByName, type JobHandler } from './handlers.js';
import { checkKey, JOBS, type JobName, laneOfThisMachine, queueName, readPayload } from './jobs.js';

const handler = (name: string): JobHandler => ({ name: name as JobName, handle: () => Promise.resolve() });

describe('the job table', () => {
  it('has a key for every payload that Redis and BullMQ can hold', () => {
    expect(checkKey(JOBS.build.key({ id: '0123456789abcdef01234567' }))).toBe('0123456789abcdef01234567');
    for (const key of ['', 'a:b', 'a b', 'a/b', 'x'.repeat(65)])
      expect(() => checkKey(key)).toThrow(TypeError);
  });

  it('takes the id of a document and nothing else', () => {
    expect(JOBS.build.payload.safeParse({ id: 'x' }).success).toBe(false);
    const id = '0123456789abcdef01234567';
    expect(JOBS.build.payload.safeParse({ id, token: 'secret' }).success).toBe(false);
    expect(JOBS.build.payload.parse({ id })).toEqual({ id });
  });

  it('reads no job that it would not have written', () => {
    const id = '0123456789abcdef01234567';
    const good = { name: 'build', key: id, data: { id } };
    expect(readPayload('build', good)).toEqual({ id });
    for (const altered of [
      { name: 'bake' },
      { key: '0123456789abcdef01234568' },
      { key: '' },
      { data: { id: '0123456789abcdef01234568' } },
      { data: { id, definition: 'bootstrap: scratch' } },
      { data: { id: [id] } },
      { data: {} },
      { data: undefined },
      { data: id },
    ])
      expect(readPayload('build', { ...good, ...altered })).toBeUndefined();
  });

  it('has a queue for each lane, and lanes that are words', () => {
    expect(queueName('build', 'amd64')).toBe('build-amd64');
    for (const lane of ['', 'a:b', 'AMD64', 'a-b', 'x'.repeat(17)])
      expect(() => queueName('build', lane)).toThrow(TypeError);
    expect(['x64', 'arm64', 'ppc64', 'riscv64'].map(laneOfThisMachine)).toEqual([
      'amd64',
      'arm64',
      'ppc64le',
      'riscv64',
    ]);
  });

  it('has exactly one handler for each job, or the process does not start', () => {
    expect([...handlersByName([handler('build')]).keys()]).toEqual(['build']);
    expect(() => handlersByName([])).toThrow(/no handler for build/);
    expect(() => handlersByName([handler('build'), handler('build')])).toThrow(/two handlers for build/);
    expect(() => handlersByName([handler('build'), handler('bake')])).toThrow(/there is no job bake/);
  });
});
