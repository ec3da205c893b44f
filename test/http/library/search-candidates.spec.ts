import { DATABASE, type Database } from '#apps/library/src/database.store';
import { Tables } from '#apps/library/src/check/tables.store';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { LIMITS } from '#apps/library/src/limits';
import { containerTerms, imageTerms } from '#apps/library/src/search/documents.store';
import { newObjectId } from '#libs/core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mongoDatabase, sqliteDatabase } from '../../support/databases.js';
import { startLibrary, type StockClient, testImage, type World } from './world.js';

const KEY = 'AB12'.repeat(9) + 'CD34';
const OTHER_KEY = 'EF56'.repeat(10);
/** Three pages, the last of which is not full. */
const PAGED = LIMITS.searchObjects * 2 + 50;
/** More than are looked at for one page. */
const MANY = LIMITS.searchCandidates + 200;
const NOWHERE = '0'.repeat(24);

describe('a search with many candidates', () => {
  let world: World;
  let paged: readonly string[];
  beforeAll(async () => {
    world = await startLibrary();
    paged = await load(world, 'tester/paged', PAGED, (at) => ({
      name: `p${at}`,
      description: at % 2 === 0 ? 'quicksilver' : 'quicksilver quicksand',
    }));
    await load(world, 'tester/straw', MANY, (at) => ({
      name: `c${at}`,
      description: `hay${at === MANY - 1 ? ' needle' : ''} straw stack`,
    }));
    await load(world, 'tester/barn', MANY, (at) => ({ name: `d${at}`, description: 'hay barn' }));
  });
  afterAll(() => world.stop());

  const ask = async (value: string, cursor = '', client = world.anonymous, more = {}) =>
    (await client.get(`/v1/search?${new URLSearchParams({ value, cursor, ...more }).toString()}`)).body;

  const pagesOf = async (value: string) => {
    const pages: { data: { container: { id: string }[] }; cut: boolean; more: boolean }[] = [];
    let cursor: string | undefined = '';
    do {
      const body = await ask(value, cursor);
      pages.push(body);
      cursor = body.page?.next as string | undefined;
    } while (cursor !== undefined);
    return pages;
  };

  it('has all of them once, a page at a time', async () => {
    const pages = await pagesOf('quicks');
    expect(pages.map(({ data, more }) => [data.container.length, more])).toEqual([
      [100, true],
      [100, true],
      [50, false],
    ]);
    const found = pages.flatMap(({ data }) => data.container.map(({ id }) => id));
    expect(found.toSorted()).toEqual(paged.toSorted());
    const both = await pagesOf('quicksilver tester quicksand');
    expect(both.flatMap(({ data }) => data.container)).toHaveLength(PAGED / 2);
  });

  it('goes on for whoever asked, with the same question', async () => {
    const cursor = (await ask('quicks')).page?.next as string;
    expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toContain('quicks');
    const statusOf = async (value: string, client: StockClient) =>
      (await client.get(`/v1/search?value=${value}&cursor=${cursor}`)).status;
    expect(await statusOf('quicks', world.anonymous)).toBe(200);
    expect(await statusOf('quick', world.anonymous)).toBe(400);
    expect(await statusOf('quicks', world.tester)).toBe(400);
  });

  it('looks at those of the word that fewest have', async () => {
    for (const value of ['straw needle', 'needle hay', 'stack tester straw needle']) {
      const { data, cut, more, page } = await ask(value);
      expect([data.container.length, cut, more, page]).toEqual([1, false, false, undefined]);
    }
  });

  it('ends when so much was looked at, says so, and goes on with the next page', async () => {
    // Of these words each has many, and nothing has all of them.
    const pages = (await pagesOf('stack barn')).map(({ data, cut, more }) => [data.container, cut, more]);
    expect(pages).toEqual([
      [[], true, true],
      [[], false, false],
    ]);
  });

  it('finds what a key has signed by its words where the key has signed more than is looked at', async () => {
    const { id, container } = await world.tester.push('tester/signed/anvil', await testImage());
    await world.tester.push('tester/signed/anvil-unsigned', await testImage());
    const tables = new Tables(world.app.get<Database>(DATABASE));
    const [image, place] = [await tables.images.get(id), await tables.containers.get(container)];
    if (image === undefined || place === undefined) throw new Error('no image');
    const value = { ...image.value, signers: [KEY] };
    const others = Array.from({ length: MANY }, () => ({
      id: newObjectId(),
      value: { ...value, container: NOWHERE },
    }));
    await tables.images.load([{ id, value }, ...others]);
    const terms = [{ id, value }, ...others].flatMap((one) => [...imageTerms(one, place)]);
    await tables.terms.load(terms.map(([term, document]) => ({ id: term, value: document })));
    const { data, cut } = await ask('anvil', '', world.anonymous, { signer: KEY });
    expect([data.image.map((one: { id: string }) => one.id), cut]).toEqual([[id], false]);
    const byHash = await ask(image.value.hash, '', world.anonymous, { signer: OTHER_KEY });
    expect(byHash.data.image).toEqual([]);
  });

  it('tells strangers nothing of how many there are that they may not know of', async () => {
    const entity = (await world.tester.entity('tester')).body.data.id as string;
    await world.tester.collection(entity, 'closed', { private: true });
    await load(world, 'tester/closed', MANY, (at) => ({ name: `zither${at}`, description: 'zither barn' }));
    expect(await ask('zither')).toEqual(await ask('zithex'));
    expect(await ask('zither barn')).toEqual(await ask('zithex barn'));
    const { data, more, cut } = await ask('zither', '', world.tester);
    expect([data.container.length, more, cut]).toEqual([LIMITS.searchObjects, true, true]);
  });
});

describe.each([
  // More than are looked at for one page.
  { name: 'SQLite', open: sqliteDatabase, many: MANY },
  // More than are read at once: the stand-in takes twenty times as long for a request.
  { name: 'MongoDB', open: mongoDatabase, many: LIMITS.searchBatch * 2 },
])('a search for few of very many images, on $name', ({ open, many }) => {
  let world: World;
  let id: string;
  beforeAll(async () => {
    world = await startLibrary({ open });
    const says = { labels: { ship: 'flagship' } };
    const file = await testImage({ arch: 'arm64', says, signedBy: KEY });
    const pushed = await world.tester.push('tester/fleet/ships', file, { arch: 'arm64' });
    ({ id } = pushed);
    const tables = new Tables(world.app.get<Database>(DATABASE));
    const [image, place] = [await tables.images.get(id), await tables.containers.get(pushed.container)];
    if (image === undefined || place === undefined) throw new Error('no image');
    // All of them are found before it.
    const others = Array.from({ length: many }, () => ({
      id: newObjectId(),
      value: { ...image.value, container: NOWHERE, arch: 'amd64', signed: false, signers: [KEY] },
    }));
    await tables.images.load(others);
    await tables.terms.load(
      others.flatMap((one) => [...imageTerms(one, place)].map(([term, value]) => ({ id: term, value }))),
    );
  });
  afterAll(() => world.stop());

  it.each([
    [{ value: 'flagship', arch: 'riscv64,arm64' }, true],
    [{ value: 'flag', signed: 'true' }, true],
    [{ value: 'flagship', arch: 'arm64', signed: 'true', entity: 'tester' }, true],
    [{ value: 'flagship', arch: 'riscv64' }, false],
    [{ value: 'flagship', arch: 'arm64', signed: 'false' }, false],
    [{ signer: KEY, arch: 'arm64' }, false],
  ])('passes over all others, and reads none of them: %j', async (query, isFound) => {
    const read = vi.spyOn(world.app.get(ImagesStore), 'getMany');
    for (const client of [world.anonymous, world.tester, world.admin]) {
      const { body } = await client.get(`/v1/search?${new URLSearchParams(query).toString()}`);
      const found = body.data.image.map((one: { id: string }) => one.id) as string[];
      expect([found, body.cut, body.more]).toEqual([isFound ? [id] : [], false, false]);
    }
    expect(read.mock.calls.flatMap(([ids]) => ids)).toEqual(isFound ? [id, id, id] : []);
    read.mockRestore();
  });
});

/** Containers as they would be stored. */
async function load(
  { app, tester }: World,
  place: string,
  count: number,
  of: (at: number) => { name: string; description: string },
) {
  const container = await tester.place(`${place}/model`);
  const tables = new Tables(app.get<Database>(DATABASE));
  const model = await tables.containers.get(container);
  if (model === undefined) throw new Error('no container');
  const containers = Array.from({ length: count }, (_, at) => ({
    id: newObjectId(),
    value: { ...model.value, ...of(at) },
  }));
  await tables.containers.load(containers);
  const { entityName, collectionName } = model.value;
  await tables.names.load(
    containers.map(({ id, value: { name } }) => ({
      id: `${entityName}/${collectionName}/${name}`,
      value: { target: id },
    })),
  );
  await tables.terms.load(
    containers.flatMap((one) => [...containerTerms(one)].map(([id, value]) => ({ id, value }))),
  );
  return containers.map(({ id }) => id);
}
