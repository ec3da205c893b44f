import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UpkeepStore } from '#apps/library/src/check/upkeep.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { TermsStore } from '#apps/library/src/search/terms.store';
import { SweepService } from '#apps/library/src/storage/sweep.service';
import { ContainersStore } from '#apps/library/src/tree/containers.store';
import { type MemoryMongo, startMemoryMongo } from '../../support/memory-mongo.js';
import { endlessOf, hintsOf, indexesOf, unindexedOf, unservedOf } from '../../support/query-plans.js';
import { type Asked, plansOf, watchStatements } from '../../support/sqlite-statements.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

/** Every index that questions go by. */
const QUESTIONS = [
  'collections.byEntity',
  'containers.byCollection',
  'entities.byName',
  'images.byContainer',
  'images.byHash',
  'tags.byContainer',
  'tags.byImage',
  'terms.byAudience',
  'terms.byEntity',
  'terms.byTerm',
];
const KEY = 'AB12'.repeat(10);

/** Asks a library everything that lists or finds something, of what is pushed first. */
async function askEverything(world: World): Promise<void> {
  const { tester, anonymous, admin, app } = world;
  const labels = { topic: 'Fluid dynamics' };
  const image = await testImage({ says: { labels }, definition: 'Bootstrap: scratch' });
  const { id } = await tester.push('tester/tools/solver', image, { tags: ['v1', 'v2'] });
  for (let count = 0; count < 3; count += 1)
    await tester.push(`tester/tools/other${count}`, await testImage({ says: { labels } }));
  const entity = (await tester.entity('tester')).body.data.id as string;
  await tester.collection(entity, 'closed', { private: true });
  await tester.push('tester/closed/solver', await testImage({ says: { labels } }));
  await tester.send('PATCH', '/v1/manage/containers/tester/tools/solver', { description: 'Solves flows' });
  await sign(world, id);
  const get = async (client: StockClient, path: string) => {
    const answer = await client.get(path);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const getAll = async (client: StockClient, path: string) => {
    let cursor: string | undefined = '';
    do {
      const body = await get(
        client,
        `${path}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      cursor = body.page?.next as string | undefined;
    } while (cursor !== undefined);
  };
  for (const client of [anonymous, tester, admin]) {
    for (const query of [
      'value=solver',
      'value=tester/tools/solver',
      'value=solver+flows+fluid',
      'value=fluid+dynamics&arch=amd64,arm64&signed=false',
      'value=solver&entity=tester',
      'value=solver+fluid&entity=tester&private=true',
      'value=solver&private=false',
      'value=solver+fluid&private=true',
      `value=solver&signer=${KEY}`,
      `signer=${KEY.slice(-16)}&entity=tester`,
      `value=${hashOf(image)}`,
    ])
      await getAll(client, `/v1/search?${query}`);
    await getAll(client, '/v1/manage/collections/tester?limit=1');
    for (const list of ['containers/tester/tools', 'images/tester/tools/solver', 'tags/tester/tools/solver'])
      await getAll(client, `/v1/manage/${list}?limit=1`);
    await get(client, '/v1/manage/details/tester/tools/solver/v1');
    for (const path of ['entities/tester', 'collections/tester/tools', 'containers/tester/tools/solver'])
      await get(client, `/v1/${path}`);
    for (const ref of ['v1', 'v1?arch=amd64', hashOf(image)])
      await get(client, `/v1/images/tester/tools/solver:${ref}`);
  }
  await get(tester, '/v1/entities');
  await get(admin, '/v1/entities');
  // What becomes private and public takes what leads to its images along.
  for (const isPrivate of [true, false])
    await tester.send('PATCH', '/v1/manage/containers/tester/tools/solver', { private: isPrivate });
  await tester.send('PATCH', '/v1/manage/collections/tester/tools', { private: true });
  await tester.send('DELETE', '/v1/manage/tags/tester/tools/solver/v2');
  await tester.send('DELETE', '/v1/manage/containers/tester/tools/solver');
  await app.get(SweepService).sweep();
}

/** As whoever checks signatures says it. */
async function sign({ app }: World, id: string): Promise<void> {
  const image = await app.get(ImagesStore).get(id);
  const container = image && (await app.get(ContainersStore).get(image.value.container));
  if (image === undefined || container === undefined) throw new Error('no image');
  const value = { ...image.value, signers: [KEY] };
  await app
    .get<Database>(DATABASE)
    .commit([
      app.get(ImagesStore).replacement(image, value),
      ...app.get(TermsStore).imageChanges(container, id, image.value, value),
    ]);
}

/** All of a check, which walks along everything. */
async function check({ app }: World): Promise<void> {
  let cursor: string | undefined;
  do
    ({ next: cursor } = await app
      .get(UpkeepStore)
      .check(cursor, { repair: false, rehash: false, actor: null }));
  while (cursor !== undefined);
}

describe('on MongoDB, everything that the library asks', () => {
  let mongo: MemoryMongo;
  let world: World;
  let used: string[];
  beforeAll(async () => {
    mongo = await startMemoryMongo();
    world = await startLibrary({
      open: async () => ({ env: { SCS_DATABASE_URL: mongo.url() }, stop: () => Promise.resolve() }),
    });
    await askEverything(world);
    used = hintsOf(mongo);
    await check(world);
  });
  afterAll(async () => {
    await world.stop();
    await mongo.close();
  });

  it('is read from one stretch of an index that was declared, in its order and with an end', () => {
    expect(unservedOf(mongo)).toEqual([]);
  });

  it('goes by every index that there is for questions', () => {
    expect(used).toEqual(expect.arrayContaining(QUESTIONS));
  });
});

describe('on SQLite, everything that the library asks', () => {
  let world: World;
  let asked: readonly Asked[];
  let checked: readonly Asked[];
  let file: string;
  beforeAll(async () => {
    const watch = watchStatements();
    try {
      world = await startLibrary();
      await askEverything(world);
      asked = reads(watch.asked());
      await check(world);
      const before = new Set(asked.map(({ sql }) => sql));
      checked = reads(watch.asked()).filter(({ sql }) => !before.has(sql));
    } finally {
      watch.stop();
    }
    file = join(world.app.home, 'data/library/library.sqlite');
  });
  afterAll(() => world.stop());

  const reads = (all: readonly Asked[]) => all.filter(({ sql }) => sql.includes(' FROM '));
  /** The first entities by name, for administrators: the one list of all that there is. */
  const isWhole = ({ sql }: Asked) => sql.includes('entities.byName');

  it('is one search of an index, without a walk through a table and without sorting', () => {
    const bounded = asked.filter((one) => !isWhole(one));
    expect(unindexedOf(plansOf(file, bounded), 'search')).toEqual([]);
    expect(unindexedOf(plansOf(file, [...asked, ...checked]), 'scan')).toEqual([]);
  });

  it('has an end', () => {
    expect(endlessOf([...asked, ...checked])).toEqual([]);
  });

  it('goes by every index that there is for questions', () => {
    expect(indexesOf(plansOf(file, asked))).toEqual(expect.arrayContaining(QUESTIONS));
  });
});
