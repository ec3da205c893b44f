import { DATABASE, type Database } from '#apps/library/src/database.store';
import { Tables } from '#apps/library/src/check/tables.store';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { TermsStore } from '#apps/library/src/search/terms.store';
import { ContainersStore } from '#apps/library/src/tree/containers.store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mongoDatabase, sqliteDatabase } from '../../support/databases.js';
import { checked, requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const KEY = 'AB12'.repeat(9) + 'CD34';
const OTHER_KEY = 'EF56'.repeat(10);

describe.each([
  ['SQLite', sqliteDatabase],
  ['MongoDB', mongoDatabase],
] as const)('search, on %s', (_, open) => {
  let world: World;
  let tester: StockClient;
  let anonymous: StockClient;
  beforeAll(async () => {
    world = await startLibrary({ open });
    ({ tester, anonymous } = world);
    await tester.push(
      'tester/tools/solver',
      await testImage({ says: { labels: { topic: 'Fluid dynamics' } } }),
      {
        tags: ['v1'],
      },
    );
    await tester.push('tester/tools/mesher', await testImage({ arch: 'arm64' }), { arch: 'arm64' });
    await change('containers/tester/tools/solver', {
      description: 'Incompressible flow',
      fullDescription: '# Solver\n\nReads *meshes* of Straßen-Netze, see https://hidden.example/readme.',
    });
    await change('collections/tester/tools', { description: 'Everything for engineers' });
    await change('entities/tester', { description: 'Ingenieurbüro' });
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  async function change(path: string, json: object, client = tester): Promise<void> {
    expect((await client.send('PATCH', `/v1/manage/${path}`, json)).status).toBe(200);
  }

  type Kind = 'entity' | 'collection' | 'container' | 'image';
  interface Answer {
    readonly data: Record<Kind, Record<string, unknown>[]>;
    readonly more: boolean;
    readonly cut: boolean;
    readonly page?: { readonly next: string };
  }
  async function ask(query: Record<string, string>, client = anonymous): Promise<Answer> {
    const { status, body } = await client.get(`/v1/search?${new URLSearchParams(query).toString()}`);
    expect(status).toBe(200);
    return body;
  }
  async function names(query: string | Record<string, string>, kind: Kind, client = anonymous) {
    const { data } = await ask(typeof query === 'string' ? { value: query } : query, client);
    return data[kind].map((one) => one[kind === 'image' ? 'containerName' : 'name']);
  }
  /** All pages as one answer, and how many there were. */
  async function all(query: Record<string, string>, kind: Kind, client = anonymous) {
    const pages: (readonly unknown[])[] = [];
    let cursor = '';
    do {
      const { data, page, more } = await ask({ ...query, cursor }, client);
      pages.push(data[kind].map(({ id }) => id));
      expect(more).toBe(page !== undefined);
      cursor = page?.next ?? '';
    } while (cursor !== '');
    return pages;
  }

  it.each<[string, Kind, string]>([
    ['incompressible', 'container', 'solver'],
    ['compressible', 'container', ''],
    ['MESHES', 'container', 'solver'],
    ['strassen', 'container', ''],
    ['netz', 'container', 'solver'],
    ['straßen-netze', 'container', 'solver'],
    ['readme', 'container', ''],
    ['engineers', 'collection', 'tools'],
    ['ingenieurburo', 'entity', 'tester'],
    ['fluid', 'image', 'solver'],
    ['topic', 'image', 'solver'],
    ['luid', 'image', ''],
    // By the container that they lie in.
    ['incompr', 'image', 'solver'],
  ])('%s finds by the beginnings of what is said: %s %s', async (value, kind, name) => {
    expect(await names(value, kind)).toEqual(name === '' ? [] : [name]);
  });

  it('finds what has every word, wherever it has them', async () => {
    for (const value of [
      'tester solv',
      'este incompr',
      'tools/solver',
      'flow meshes',
      'solver engineers flow',
    ])
      expect([value, await names(value, 'container')]).toEqual([
        value,
        value === 'solver engineers flow' ? [] : ['solver'],
      ]);
    expect(await names('fluid dyn flow tester', 'image')).toEqual(['solver']);
    expect(await names('fluid mesher', 'image')).toEqual([]);
    expect(await names('flow x', 'container')).toEqual([]);
  });

  it('what has a word in its name comes before everything else', async () => {
    await tester.place('tester/order/aaa');
    await tester.place('tester/order/zebra');
    await change('containers/tester/order/aaa', { description: 'zebra zebras' });
    expect(await names('zebra', 'container')).toEqual(['zebra', 'aaa']);
    const pages = await all({ value: 'zebr' }, 'container');
    expect(pages.flat()).toHaveLength(2);
  });

  it('follows what is changed, renamed and removed', async () => {
    await tester.push(
      'tester/change/first',
      await testImage({ says: { labels: { colour: 'ultramarine' } } }),
    );
    await change('containers/tester/change/first', { description: 'about gnomes' });
    await change('containers/tester/change/first', { description: 'about dwarves', name: 'second' });
    expect(await names('gnomes', 'container')).toEqual([]);
    expect(await names('dwarves', 'container')).toEqual(['second']);
    expect(await names('ultramarine', 'image')).toEqual(['second']);
    expect((await tester.send('DELETE', '/v1/images/tester/change/second:latest')).status).toBe(200);
    expect(await names('ultramarine', 'image')).toEqual([]);
    expect((await tester.send('DELETE', '/v1/manage/containers/tester/change/second')).status).toBe(200);
    expect(await names('dwarves', 'container')).toEqual([]);
    await requireNothingWrong(world);
  });

  it('finds what has become private for members alone, images by their labels too, and tells nobody else of it', async () => {
    const image = await testImage({ says: { labels: { secret: 'xylophone' } } });
    await tester.push('tester/hide/band', image);
    await change('containers/tester/hide/band', { description: 'plays marimba' });
    expect(await names('xylophone', 'image')).toEqual(['band']);
    const absent = await ask({ value: 'nothingofthekind' });
    await change('containers/tester/hide/band', { private: true });
    await requireNothingWrong(world);
    for (const value of ['xylophone', 'marimba', 'xylophone band', hashOf(image)]) {
      expect(await ask({ value })).toEqual(absent);
      expect(await ask({ value }, world.other)).toEqual(absent);
      expect(await names(value, 'image', tester)).toEqual(['band']);
      expect(await names(value, 'image', world.admin)).toEqual(['band']);
    }
    await change('containers/tester/hide/band', { private: false });
    await requireNothingWrong(world);
    expect(await names('xylophone', 'image')).toEqual(['band']);
    // With the collection that it lies in.
    await change('collections/tester/hide', { private: true });
    await requireNothingWrong(world);
    expect(await ask({ value: 'xylophone' })).toEqual(absent);
  });

  it('finds by its whole path what is public in an entity that is not', async () => {
    const entity = (await tester.entity('shy', { defaultPrivate: true })).status;
    expect(entity).toBe(403);
    const owner = world.client(await world.authority.token({ username: 'shy' }));
    await owner.entity('shy', { defaultPrivate: true });
    await owner.place('shy/shown/teapot');
    await change('collections/shy/shown', { private: false }, owner);
    await change('containers/shy/shown/teapot', { private: false }, owner);
    expect(await names('shy/shown/teapot', 'container')).toEqual(['teapot']);
    expect(await names({ value: 'teapot', entity: 'shy' }, 'container')).toEqual(['teapot']);
    expect(await names('shy', 'entity')).toEqual([]);
  });

  describe('filters', () => {
    beforeAll(async () => {
      await tester.push('tester/filter/widget', await testImage({ signedBy: 'ab'.repeat(20) }));
      await tester.push('tester/filter/widget', await testImage({ arch: 'arm64' }), { arch: 'arm64' });
      await world.other.push('other/filter/widget', await testImage());
      const entity = (await tester.entity('tester')).body.data.id as string;
      await tester.collection(entity, 'closed', { private: true });
      await tester.push('tester/closed/widget', await testImage());
      await verify('tester/filter/widget', 'amd64', [KEY]);
      await verify('other/filter/widget', 'amd64', [KEY, OTHER_KEY]);
      await verify('tester/closed/widget', 'amd64', [OTHER_KEY]);
    });
    // Nobody has looked at their signatures: a check finds that.
    afterAll(async () => {
      for (const place of ['tester/filter/widget', 'other/filter/widget', 'tester/closed/widget'])
        await verify(place, 'amd64', []);
    });

    /** As whoever checks signatures says it. */
    async function verify(place: string, arch: string, signers: string[]): Promise<void> {
      const { app, admin } = world;
      const { id } = (await admin.get(`/v1/images/${place}:latest?arch=${arch}`)).body.data;
      const image = await app.get(ImagesStore).get(id as string);
      const container = image && (await app.get(ContainersStore).get(image.value.container));
      if (image === undefined || container === undefined) throw new Error(`no ${place}`);
      const value = { ...image.value, signers };
      const outcome = await app
        .get<Database>(DATABASE)
        .commit([
          app.get(ImagesStore).replacement(image, value),
          ...app.get(TermsStore).imageChanges(container, image.id, image.value, value),
        ]);
      expect(outcome).toEqual({ ok: true });
    }

    async function places(query: Record<string, string>, client = anonymous): Promise<string[]> {
      const { data } = await ask(query, client);
      return [...data.image, ...data.container]
        .map(({ entityName, collectionName }) => `${String(entityName)}/${String(collectionName)}`)
        .toSorted();
    }

    it.each<[Record<string, string>, string[]]>([
      [{ value: 'widget', arch: 'arm64' }, ['tester/filter']],
      [{ value: 'widget', arch: 'arm64,amd64', signed: 'true' }, ['tester/filter']],
      [{ value: 'widget', signer: KEY }, ['other/filter', 'tester/filter']],
      [{ value: 'widget', signer: `0x${KEY.slice(-16).toLowerCase()}`, entity: 'OTHER' }, ['other/filter']],
      [{ value: 'widget', signer: KEY.slice(-8), signed: 'true' }, ['tester/filter']],
      [{ signer: OTHER_KEY.replaceAll(/(.{4})/g, '$1 ') }, ['other/filter']],
      [{ value: 'nothing', signer: KEY }, []],
      [{ signer: '12345678' }, []],
      [{ value: 'widget', entity: 'other' }, ['other/filter', 'other/filter']],
      [{ value: 'widget', entity: 'nobody' }, []],
      [{ value: 'widget', private: 'true' }, []],
    ])('%j finds %j', async (query, expected) => {
      expect(await places(query)).toEqual(expected);
    });

    it('show members what is private, and that alone where they ask for it', async () => {
      const closed = ['tester/closed', 'tester/closed'];
      expect(await places({ value: 'widget', private: 'true' }, tester)).toEqual(closed);
      expect(await places({ value: 'widget', private: 'true', entity: 'tester' }, tester)).toEqual(closed);
      expect(await places({ value: 'widget', private: 'true', entity: 'tester' }, world.admin)).toEqual(
        closed,
      );
      expect(await places({ value: 'widget', private: 'true' }, world.admin)).toEqual(closed);
      expect(await places({ value: 'widget', private: 'false' }, tester)).not.toContain('tester/closed');
      expect(await places({ value: 'widget', private: 'false' }, world.admin)).not.toContain('tester/closed');
      expect(await places({ signer: OTHER_KEY }, tester)).toEqual(['other/filter', 'tester/closed']);
      expect(await places({ signer: OTHER_KEY }, world.other)).toEqual(['other/filter']);
    });

    it.each([
      'value=widget&private=perhaps',
      'value=widget&signer=xyz',
      'value=widget&signer=1234567',
      'value=widget&entity=a/b',
      'value=widget&entity=a&entity=b',
      'value=wi&signer=12345678',
      'value=widget&cursor=AAAA',
    ])('refuses %s', async (query) => {
      expect((await anonymous.get(`/v1/search?${query}`)).status).toBe(400);
    });
  });

  it('reads an image of an older version, whose words do not say what machine it is for', async () => {
    const says = { labels: { origin: 'antiquity' } };
    const { id } = await tester.push('tester/old/ancient', await testImage({ arch: 'arm64', says }), {
      arch: 'arm64',
    });
    const tables = new Tables(world.app.get<Database>(DATABASE));
    const ids = [`${id}/w0`, `${id}/w1`];
    for (const term of await tables.terms.getMany(ids)) {
      const { value } = term;
      expect(value.term).toMatch(/ arm64 unsigned$/);
      await tables.terms.put(term.id, { ...value, term: value.term.replace(/ .*/, '') });
    }
    const findsIt = async () => {
      for (const filter of [{ arch: 'arm64' }, { signed: 'false' }, { arch: 'amd64,arm64', signed: 'false' }])
        expect(await names({ value: 'antiquity', ...filter }, 'image')).toEqual(['ancient']);
      for (const filter of [{ arch: 'amd64' }, { signed: 'true' }])
        expect(await names({ value: 'antiquity', ...filter }, 'image')).toEqual([]);
    };
    await findsIt();
    const { problems } = await checked(world, { repair: true });
    expect(problems.map(({ kind, name, repaired }) => [kind, name.split('@', 1)[0], repaired])).toEqual([
      ['terms_unmarked', 'tester/old/ancient', true],
    ]);
    for (const term of await tables.terms.getMany(ids)) expect(term.value.term).toMatch(/ arm64 unsigned$/);
    await findsIt();
  });

  it('says of what an older version wrote less, until a check has completed it', async () => {
    const { id, container } = await tester.push(
      'tester/old/veteran',
      await testImage({ says: { labels: { medal: 'bravery' } } }),
    );
    await change('containers/tester/old/veteran', { description: 'decorated' });
    const tables = new Tables(world.app.get<Database>(DATABASE));
    const found = [
      ...(await tables.terms.getMany(Array.from({ length: 9 }, (__, at) => `${container}/w${at}`))),
      ...(await tables.terms.getMany([`${container}/p`, `${id}/w0`, `${id}/w1`])),
    ];
    expect(found).toHaveLength(4);
    for (const term of found) await tables.terms.delete(term.id);
    await tables.terms.update(`${container}/7`, (term) => term && { ...term, entity: undefined });
    await tables.terms.put(`${id}/w7`, { audience: '', kind: 'imageText', term: 'stray', target: id });
    expect(await names('bravery', 'image')).toEqual([]);
    expect(await names({ value: 'veteran', entity: 'tester' }, 'container')).toEqual([]);
    const { problems } = await checked(world, { repair: true });
    expect(problems.map(({ kind, what, repaired }) => `${kind} ${what} ${repaired}`).toSorted()).toEqual([
      'term_missing bravery true',
      'term_missing decorated true',
      'term_missing medal true',
      'term_missing tester true',
      'term_stray stray true',
      'term_wrong veteran true',
    ]);
    expect(await names('bravery', 'image')).toEqual(['veteran']);
    expect(await names({ value: 'veteran', entity: 'tester' }, 'container')).toEqual(['veteran']);
    expect(await names('decorated', 'container')).toEqual(['veteran']);
    // Nobody had read the labels of its image.
    await tables.images.update(id, (image) => image && { ...image, labels: undefined });
    for (const slot of [0, 1]) await tables.terms.delete(`${id}/w${slot}`);
    const again = await checked(world, { repair: true });
    expect(
      again.problems.map(({ kind, name, repaired }) => `${kind} ${name.split('@', 1)[0]} ${repaired}`),
    ).toEqual(['labels_missing tester/old/veteran true']);
    expect(await names('bravery', 'image')).toEqual(['veteran']);
  });
});
