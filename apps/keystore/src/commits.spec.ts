import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Collection, type Documents, openDocuments, TEMPORARY_DATABASE } from '#libs/documents';
import { Commits, type Prepared } from './commits.store.js';
import { LIMITS } from './limits.js';

const Entry = z.object({ sequence: z.number(), key: z.string() });
type Entry = z.infer<typeof Entry>;

let database: Documents;
let entries: Collection<Entry, 'bySequence'>;
beforeEach(async () => {
  database = await openDocuments(TEMPORARY_DATABASE, { service: 'keystore' });
  entries = database.collection<Entry, 'bySequence'>({
    name: 'entries',
    schema: Entry,
    indexes: { bySequence: { fields: ['sequence'], unique: true } },
  });
});
afterEach(() => database.close());

const load = async (keys: readonly string[]): Promise<Map<string, number>> =>
  new Map(keys.map((key) => [key, 0]));
/** As a process has it; several share the database like replicas. */
const process = (): Commits<number> => new Commits(database, load);
const entry = (key: string, writes = 1): Prepared => ({
  numbered: true,
  more: 1,
  writes: (sequence) =>
    Array.from({ length: writes }, (_, index) =>
      index === 0
        ? entries.write.put(key, { sequence, key })
        : entries.write.delete(`nothing ${key} ${index}`),
    ),
});
const sequences = async (): Promise<number[]> =>
  (await entries.scan('bySequence', { limit: 1000 })).items.map(({ value }) => value.sequence);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('changes that are committed in turn', () => {
  it('take numbers without a gap, however many come at once and from however many processes', async () => {
    const replicas = [process(), process(), process()];
    const all = upTo(120).map((n) =>
      (replicas[n % replicas.length] ?? process()).add(`key ${n}`, async () => entry(`key ${n}`)),
    );
    expect(await Promise.all(all)).toEqual(all.map(() => true));
    expect(await sequences()).toEqual(upTo(120));
    expect(await process().head()).toBe(120);
  });

  it('share commits, and those of one key follow each other', async () => {
    const commits: number[] = [];
    const commit = database.commit.bind(database);
    database.commit = (writes) => {
      commits.push(writes.length);
      return commit(writes);
    };
    const one = process();
    await Promise.all(['a', 'b', 'c', 'a'].map((key) => one.add(key, async () => entry(key))));
    // Each with a write for the counter.
    expect(commits).toEqual([4, 2]);
    expect(await sequences()).toEqual([2, 3, 4]);
  });

  it('that are too large together come in several commits, one that is too large alone in none', async () => {
    const one = process();
    const large = LIMITS.writes - 1;
    const done = ['a', 'b'].map((key) => one.add(key, async () => entry(key, large)));
    const tooLarge = one.add('c', async () => entry('c', large + 1));
    await expect(tooLarge).rejects.toMatchObject({ reason: 'too_many_changes' });
    expect(await Promise.all(done)).toEqual([true, true]);
    expect(await sequences()).toEqual([1, 2]);
  });

  it('are not held up by one that fails or has nothing to do', async () => {
    const one = process();
    const failing = one.add('bad', async () => {
      throw new Error('no');
    });
    const nothing = one.add('same', async () => undefined);
    const good = one.add('good', async () => entry('good'));
    await expect(failing).rejects.toThrow('no');
    expect(await Promise.all([nothing, good])).toEqual([false, true]);
    expect(await sequences()).toEqual([1]);
  });

  it('are decided again when something else changed meanwhile, also without a number', async () => {
    const [one, other] = [process(), process()];
    let looked = 0;
    const changed = await one.add('key', async () => {
      looked += 1;
      if (looked === 1)
        await other.add('block', async () => ({ numbered: false, more: 0, writes: () => [] }));
      return entry('key');
    });
    expect([changed, looked, await sequences()]).toEqual([true, 2, [1]]);
  });

  it('all fail when the database does, and later ones go on', async () => {
    const commit = database.commit.bind(database);
    database.commit = () => Promise.reject(new Error('the disk is full'));
    const one = process();
    const failed = ['a', 'b'].map((key) => one.add(key, async () => entry(key)));
    for (const each of failed) await expect(each).rejects.toThrow('the disk is full');
    database.commit = commit;
    expect(await one.add('a', async () => entry('a'))).toBe(true);
  });
});
