import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { UnfinishedRenames } from '#apps/library/src/manage/unfinishedRenames.service';
import { waitForEntries } from '../../support/audit.js';
import { DATABASES, type StartedDatabase, type TestDatabase } from '../../support/databases.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { requireNothingWrong } from './checked.js';
import { namesIn } from './managed.js';
import { startLibrary, type World } from './world.js';

const WAIT = { interval: 20, timeout: 20_000 };
/** Two commits move them, between one that begins and one that ends. */
const NAMES = Array.from({ length: 25 }, (_, index) => `n${String(index).padStart(2, '0')}`);
const COMMITS = 4;
/** Of the beginning and the end of each. */
const SOME = ['n00', 'n19', 'n20', 'n24'];

describe.each(DATABASES)('a renaming of a collection that was cut off, on $name', ({ open }) => {
  let server: StartedDatabase;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let database: TestDatabase;
  let authority: TestAuthority;
  let world: World;
  const start = (sweepInterval?: number) =>
    startLibrary({
      home: folder.path,
      authority,
      open: async () => database,
      ...(sweepInterval === undefined ? {} : { limits: { sweepInterval } }),
    });
  beforeAll(async () => {
    server = await open();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    folder = await temporaryFolder();
    database = server.another();
    authority = await TestAuthority.make();
    world = await start();
    const { id: entity } = (await world.tester.entity('tester')).body.data as { id: string };
    const { id: collection } = (await world.tester.collection(entity, 'before')).body.data as { id: string };
    for (const name of NAMES) await world.tester.container(collection, name);
  });
  afterEach(async () => {
    await world.stop();
    await folder.remove();
  });

  /** Whether a commit belongs to a renaming, and not to what the library does beside it. */
  const moves = (writes: Parameters<Database['commit']>[0]): boolean =>
    writes.some(({ collection }) => ['collections', 'containers'].includes(collection));

  /** After so many commits nothing is written any more, by nobody. */
  function cutAfter(most: number): () => void {
    const documents = world.app.get<Database>(DATABASE);
    const commit = documents.commit.bind(documents);
    let commits = 0;
    const cut = vi.spyOn(documents, 'commit').mockImplementation(async (writes) => {
      const isOurs = moves(writes);
      if (isOurs && commits >= most) throw new Error('The power went');
      const outcome = await commit(writes);
      if (isOurs && outcome.ok) commits += 1;
      return outcome;
    });
    return () => cut.mockRestore();
  }
  const rename = (from: string, to: string) =>
    world.tester.send('PATCH', `/v1/manage/collections/tester/${from}`, { name: to });
  const idOf = async (path: string) =>
    (await world.anonymous.get(`/v1/collections/tester/${path}`)).body.data as { id: string; name: string };

  /** Waits until all of it has its new name, and is found by both. */
  async function finished(from: string, to: string): Promise<void> {
    await vi.waitFor(async () => expect((await idOf(to)).name).toBe(to), WAIT);
    expect((await idOf(from)).id).toBe((await idOf(to)).id);
    expect(await namesIn(world.anonymous, `containers/tester/${to}`)).toEqual(NAMES);
    for (const name of SOME)
      for (const place of [from, to]) {
        const { body } = await world.anonymous.get(`/v1/containers/tester/${place}/${name}`);
        expect(body.data).toMatchObject({ name, collectionName: to });
      }
    await requireNothingWrong(world);
  }

  it('at any commit, is finished by the next start, in the name of whoever began it', async () => {
    let from = 'before';
    for (let commits = 1; commits < COMMITS; commits += 1) {
      const to = `after${commits}`;
      const restore = cutAfter(commits);
      expect((await rename(from, to)).status).toBe(500);
      expect((await idOf(to)).name).toBe(from);
      await world.stop();
      restore();
      world = await start();
      await finished(from, to);
      const subject = `subject=tester/${from}&action=collection.change`;
      const entries = await waitForEntries(world.app, String(world.admin.token), subject, 1);
      expect(entries.map(({ actor, after }) => [actor?.username, after])).toEqual([
        ['tester', { private: false, name: to }],
      ]);
      from = to;
    }
  });

  it('at any commit, is finished by the sweep', async () => {
    await world.stop();
    world = await start(20);
    let from = 'before';
    for (let commits = 1; commits < COMMITS; commits += 1) {
      const to = `after${commits}`;
      const restore = cutAfter(commits);
      expect((await rename(from, to)).status).toBe(500);
      restore();
      await finished(from, to);
      from = to;
    }
  });

  it('keeps no other one waiting when it cannot be finished', async () => {
    await world.tester.place('tester/other/one');
    for (const name of ['before', 'other']) {
      const restore = cutAfter(1);
      // By name the one that fails comes first.
      expect((await rename(name, name === 'other' ? 'z' : 'a')).status).toBe(500);
      restore();
    }
    const documents = world.app.get<Database>(DATABASE);
    const commit = documents.commit.bind(documents);
    const { id } = await idOf('a');
    const cut = vi.spyOn(documents, 'commit').mockImplementation(async (writes) => {
      if (writes.some((write) => JSON.stringify(write).includes(id))) throw new Error('It does not work');
      return commit(writes);
    });
    await world.app.get(UnfinishedRenames).round();
    cut.mockRestore();
    expect([(await idOf('z')).name, (await idOf('a')).name]).toEqual(['z', 'before']);
    await world.app.get(UnfinishedRenames).round();
    await finished('before', 'a');
  });

  it('is nobody else’s: what was finished and renamed again meanwhile stays as it is', async () => {
    const restore = cutAfter(1);
    expect((await rename('before', 'after')).status).toBe(500);
    restore();
    const documents = world.app.get<Database>(DATABASE);
    const commit = documents.commit.bind(documents);
    const statuses: number[] = [];
    let isFirst = true;
    const cut = vi.spyOn(documents, 'commit').mockImplementation(async (writes) => {
      if (isFirst && moves(writes)) {
        // At the first commit of the one that goes on, others are done with it, and have taken the name back.
        isFirst = false;
        statuses.push((await rename('before', 'after')).status, (await rename('after', 'before')).status);
      }
      return commit(writes);
    });
    await world.app.get(UnfinishedRenames).round();
    cut.mockRestore();
    expect(statuses).toEqual([200, 200]);
    await finished('after', 'before');
  });
});
