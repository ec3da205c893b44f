import { expect, it, vi } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { LIMITS } from '#apps/library/src/limits';
import { CollectionsStore } from '#apps/library/src/tree/collections.store';
import { NamesStore } from '#apps/library/src/tree/names.store';
import { waitForEntries } from '../../support/audit.js';
import { requireNothingWrong } from './checked.js';
import { describeManaged, namesIn } from './managed.js';
import { hashOf, testImage } from './world.js';

describeManaged('a collection with another name', (on) => {
  const { atomic, newCollection, change, remove, statusOf, member } = on;
  const nameOf = (path: string): string => path.split('/')[1] ?? '';
  const idOf = async (path: string) => {
    const kind = path.split('/').length === 2 ? 'collections' : 'containers';
    return (await on.world.tester.get(`/v1/${kind}/${path}`)).body.data?.id as string | undefined;
  };

  it('is found by both, with all that is in it, for pulls and pushes; in lists and searches by the new one', async () => {
    const before = await newCollection('b', 'c');
    const bytes = await testImage();
    await on.world.tester.push(`${before}/a`, bytes, { tags: ['1'] });
    const id = await idOf(before);
    const answer = await change(`collections/${before}`, { name: 'orchestra', description: 'Louder' });
    expect(answer.body.data).toMatchObject({ id, name: 'orchestra', description: 'Louder' });
    const after = 'tester/orchestra';
    expect([await idOf(before), await idOf(after)]).toEqual([id, id]);
    for (const path of [before, after]) {
      const { body } = await on.world.anonymous.get(`/v1/images/${path}/a:1?arch=amd64`);
      expect(body.data).toMatchObject({
        hash: hashOf(bytes),
        collectionName: 'orchestra',
        containerName: 'a',
      });
      expect(await namesIn(on.world.anonymous, `containers/${path}`)).toEqual(['a', 'b', 'c']);
    }
    expect(await namesIn(on.world.tester, 'collections/tester')).toContain('orchestra');
    expect(await namesIn(on.world.tester, 'collections/tester')).not.toContain(nameOf(before));
    const found = async (word: string) =>
      ((await on.world.anonymous.get(`/v1/search?value=${word}`)).body.data.collection as unknown[]).length;
    expect([await found('orchestra'), await found(nameOf(before))]).toEqual([1, 0]);
    // Whoever goes on to push to the old name pushes to the new one: to what there is, and to what is made by that.
    const pushed = await on.world.tester.push(`${before}/a`, await testImage(), { tags: ['2'] });
    expect(await idOf(`${after}/a`)).toBe(pushed.container);
    const made = await on.world.tester.push(`${before}/new`, await testImage(), { tags: ['1'] });
    expect([await idOf(`${after}/new`), await idOf(`${before}/new`)]).toEqual([
      made.container,
      made.container,
    ]);
  });

  it('takes none that another one has, nor what is none, and is named by owners', async () => {
    const [one, two] = [await newCollection('a'), await newCollection('a')];
    const taken = await change(`collections/${one}`, { name: nameOf(two) });
    expect(taken.body.error).toMatchObject({ code: 409, reason: 'name_taken' });
    expect(await statusOf(change(`collections/${one}`, { name: 'Bad Name' }))).toBe(400);
    expect(await statusOf(change(`collections/${one}`, { name: nameOf(one) }))).toBe(200);
    await (await member('owner')).place('guild/bench/saw');
    expect(await statusOf(change('collections/guild/bench', { name: 'table' }, await member('writer')))).toBe(
      403,
    );
  });

  it('gets its old one back, and its containers theirs', async () => {
    const path = await newCollection('a', 'b');
    await change(`containers/${path}/a`, { name: 'first' });
    const id = await idOf(`${path}/first`);
    await change(`collections/${path}`, { name: 'away' });
    for (const one of [`${path}/a`, `${path}/first`, 'tester/away/first']) expect(await idOf(one)).toBe(id);
    await change('collections/tester/away', { name: nameOf(path) });
    for (const one of [`${path}/a`, `${path}/first`, 'tester/away/first']) expect(await idOf(one)).toBe(id);
    await change(`containers/${path}/first`, { name: 'a' });
    expect(await namesIn(on.world.tester, `containers/${path}`)).toEqual(['a', 'b']);
    // All the names go with what they lead to.
    for (const name of ['a', 'b']) expect(await statusOf(remove(`containers/${path}/${name}`))).toBe(200);
    expect(await statusOf(remove(`collections/${path}`))).toBe(200);
    for (const one of [path, 'tester/away', `${path}/first`, 'tester/away/first', 'tester/away/b'])
      expect(await on.world.app.get(NamesStore).find(one)).toBeUndefined();
  });

  it('gives its old one up when another collection takes it', async () => {
    const [one, two] = [await newCollection('a', 'shared'), await newCollection('b')];
    await change(`collections/${one}`, { name: `${nameOf(one)}-moved` });
    const [a, shared] = [await idOf(`${one}/a`), await idOf(`${one}/shared`)];
    await change(`collections/${two}`, { name: nameOf(one) });
    expect(await idOf(one)).not.toBe(await idOf(`${one}-moved`));
    expect(await idOf(`${one}-moved/a`)).toBe(a);
    // What is made there is made there.
    const made = await on.world.tester.place(`${one}/shared`);
    expect(made).not.toBe(shared);
    expect([await idOf(`${one}/shared`), await idOf(`${one}-moved/shared`)]).toEqual([made, shared]);
  });

  it.runIf(atomic)('that was cut off anywhere serves both, and the same request finishes it', async () => {
    const names = Array.from({ length: 45 }, (_, index) => `n${String(index).padStart(2, '0')}`);
    const path = await newCollection(...names);
    const database = on.world.app.get<Database>(DATABASE);
    const commit = database.commit.bind(database);
    const to = `${nameOf(path)}-whole`;
    // Four commits move all; each of them is where the power goes once.
    for (let times = 0; times < 4; times += 1) {
      let commits = 0;
      const cut = vi.spyOn(database, 'commit').mockImplementation(async (writes) => {
        const isOurs = writes.some(
          ({ collection }) => collection === 'collections' || collection === 'containers',
        );
        if (isOurs && (commits += 1) > 1) throw new Error('The power went');
        return commit(writes);
      });
      expect(await statusOf(change(`collections/${path}`, { name: to }))).toBe(500);
      cut.mockRestore();
      await requireNothingWrong(on.world);
      expect(await idOf(`tester/${to}`)).toBe(await idOf(path));
      for (const name of ['n00', 'n30', 'n44']) expect(await idOf(`${path}/${name}`)).toBeDefined();
      expect(await namesIn(on.world.anonymous, `containers/${path}`)).toEqual(names);
      const other = await change(`collections/${path}`, { name: 'another' });
      expect(other.body.error).toMatchObject({ code: 409, reason: 'rename_under_way' });
    }
    expect((await change(`collections/tester/${to}`, { name: to })).body.data.name).toBe(to);
    for (const name of names) expect(await idOf(`tester/${to}/${name}`)).toBe(await idOf(`${path}/${name}`));
  });

  it.runIf(atomic)('takes along what is made in it meanwhile', async () => {
    const path = await newCollection('a');
    const collection = (await idOf(path)) ?? '';
    const to = `${nameOf(path)}-busy`;
    const collections = on.world.app.get(CollectionsStore);
    const get = collections.get.bind(collections);
    let looks = 0;
    let made: number | undefined;
    const reads = vi.spyOn(collections, 'get').mockImplementation(async (id) => {
      const one = await get(id);
      // Made after the last look at what is in it, as of the old name.
      if (id === collection && one?.value.movingTo === to && (looks += 1) === 3)
        made = await statusOf(on.world.tester.container(collection, 'late'));
      return one;
    });
    expect(await statusOf(change(`collections/${path}`, { name: to }))).toBe(200);
    reads.mockRestore();
    expect(made).toBe(200);
    expect(await namesIn(on.world.anonymous, `containers/tester/${to}`)).toEqual(['a', 'late']);
    const late = (await on.world.tester.get(`/v1/containers/tester/${to}/late`)).body.data;
    expect(late).toMatchObject({ collectionName: to });
    expect(await idOf(`${path}/late`)).toBe(late.id);
  });

  it('is in the audit trail once', async () => {
    const path = await newCollection('a');
    await change(`collections/${path}`, { name: `${nameOf(path)}-told` });
    const token = String(on.world.admin.token);
    const entries = await waitForEntries(on.world.app, token, `subject=${path}&action=collection.change`, 1);
    expect(entries.map(({ before, after }) => [before, after])).toEqual([
      [
        { private: false, name: nameOf(path) },
        { private: false, name: `${nameOf(path)}-told` },
      ],
    ]);
  });

  // The last one: every token has ended by then.
  it('is found by the old one for a time', async () => {
    const path = await newCollection('a');
    await change(`collections/${path}`, { name: `${nameOf(path)}-later` });
    const found = async (one: string) => (await on.world.anonymous.get(one)).status;
    on.clock.advance(LIMITS.formerName - 1);
    expect([await found(`/v1/collections/${path}`), await found(`/v1/containers/${path}/a`)]).toEqual([
      200, 200,
    ]);
    on.clock.advance(1);
    expect([await found(`/v1/collections/${path}`), await found(`/v1/containers/${path}/a`)]).toEqual([
      404, 404,
    ]);
    expect(await found(`/v1/containers/${path}-later/a`)).toBe(200);
  });
});
