import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '#apps/library/src/limits';
import { DATABASES } from '../../support/databases.js';
import { requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

/* The test cases of the library contract (§11) by their numbers, for native images; those of other services are theirs. */

const BAD_NAMES = ['Babsi Streusand', '-oink', '.oink', 'oink-', 'Babsi&Streusand'];

describe.each(DATABASES)('the library on $name, by the cases of the contract', ({ name, open }) => {
  // The stand-in for MongoDB knows no transactions.
  const atomic = name === 'SQLite' || process.env['SCS_TEST_MONGO_URL'] !== undefined;

  let world: World;
  let tester: StockClient;
  let other: StockClient;
  let anonymous: StockClient;
  let image: Buffer;

  beforeAll(async () => {
    world = await startLibrary({ open });
    ({ tester, other, anonymous } = world);
    image = await testImage();
    await tester.push('tester/proj/pushed', image, { tags: ['v1', 'latest'] });
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  const statusOf = async (answer: Promise<{ status: number }>) => (await answer).status;

  describe('entities, collections, containers', () => {
    it('9: has no registry', async () => {
      expect(
        await statusOf(anonymous.get('/v1/oci-redirect?namespace=a/b/c&accessTypes=pull&mapped=1')),
      ).toBe(404);
    });

    it('11: an unknown entity is 404 with the envelope', async () => {
      const answer = await tester.get('/v1/entities/nobody');
      expect([answer.status, answer.body.error.code]).toEqual([404, 404]);
    });

    it('12, 17: makes an entity from a zero-valued body without Content-Type, and finds it when it is made again', async () => {
      const first = await tester.entity('tester');
      const second = await tester.entity('tester');
      expect([first.status, second.status]).toEqual([200, 200]);
      expect(first.body.data.id).toMatch(/^[0-9a-f]{24}$/);
      expect(second.body.data.id).toBe(first.body.data.id);
    });

    it('13, 14: nobody makes the entity of somebody else, and nobody at all without a token', async () => {
      const answer = await tester.entity('other');
      expect([answer.status, answer.body.error.reason]).toEqual([403, 'not_owner']);
      expect(await statusOf(anonymous.entity('tester'))).toBe(401);
      expect(await statusOf(world.admin.entity('anything'))).toBe(200);
    });

    it('members of an organisation write to its entity, its readers do not', async () => {
      const as = async (role: 'writer' | 'reader') =>
        world.client(await world.authority.token({ username: role, organisations: { acme: role } }));
      expect(await statusOf((await as('reader')).entity('acme'))).toBe(403);
      expect(await statusOf((await as('writer')).entity('acme'))).toBe(200);
    });

    it.each(BAD_NAMES)('15: refuses the name %j', async (name) => {
      expect(await statusOf(world.admin.entity(name))).toBe(400);
    });

    it.each(['test_hase', 'test.hase', 'bwa'])('16: takes the name %j', async (name) => {
      expect(await statusOf(world.admin.entity(name))).toBe(200);
    });

    it('18: an unknown collection is 404', async () => {
      expect(await statusOf(tester.get('/v1/collections/tester/nope'))).toBe(404);
    });

    it('19: makes a collection in an entity', async () => {
      const entity = (await tester.entity('tester')).body.data.id as string;
      const answer = await tester.collection(entity, 'made');
      expect([answer.status, answer.body.data.entity]).toEqual([200, entity]);
    });

    it('20, 23: what is private by default makes private children, whatever the body says', async () => {
      const entity = await world.admin.entity('secretive', { defaultPrivate: true });
      const collection = await world.admin.collection(entity.body.data.id as string, 'c', { private: false });
      const container = await world.admin.container(collection.body.data.id as string, 'n', {
        private: false,
      });
      expect([collection.body.data.private, container.body.data.private]).toEqual([true, true]);
    });

    it.each(['0123456789abcdef01234567', 'nonsense', 17, null])(
      '21: refuses the parent %j',
      async (entity) => {
        const answer = await tester.collection(entity as string, 'x');
        expect(answer.status).toBe(typeof entity === 'string' ? 404 : 400);
      },
    );

    it('22: refuses a collection in the entity of somebody else', async () => {
      const entity = (await other.entity('other')).body.data.id as string;
      expect(await statusOf(tester.collection(entity, 'x'))).toBe(403);
    });

    it('24: a container has tags by architecture and without', async () => {
      const answer = await tester.get('/v1/containers/tester/proj/pushed');
      expect(answer.status).toBe(200);
      const id = answer.body.data.archTags.amd64.v1 as string;
      expect(answer.body.data.imageTags).toEqual({ v1: id, latest: id });
    });

    it('25: there is never a second container that differs in case', async () => {
      const collection = (await tester.get('/v1/collections/tester/proj')).body.data.id as string;
      expect(await statusOf(tester.container(collection, 'PUSHED'))).toBe(400);
      const again = await tester.container(collection, 'pushed');
      expect(again.body.data.id).toBe((await tester.get('/v1/containers/tester/proj/pushed')).body.data.id);
    });

    it('drops what a client cannot set: no quota, no owner, no size by a body (mass assignment)', async () => {
      const answer = await other.entity('other', {
        quota: 5,
        size: 7,
        createdBy: 'root',
        id: 'x',
        owner: 'root',
      });
      expect(answer.body.data).toMatchObject({ quota: 0, size: 0, createdBy: 'other' });
    });

    it.runIf(atomic)('two at once make one', async () => {
      const made = await Promise.all(Array.from({ length: 8 }, () => world.admin.entity('at-once')));
      expect(new Set(made.map(({ body }) => body.data?.id as string)).size).toBe(1);
    });
  });

  describe('images', () => {
    it('26: an unknown hash is 404', async () => {
      const hash = hashOf(Buffer.from('unknown'));
      expect(await statusOf(tester.get(`/v1/images/tester/proj/pushed:${hash}?arch=amd64`))).toBe(404);
    });

    it('27, 32: makes a record that is not uploaded, shown by hash to its writer and to nobody else', async () => {
      const hash = hashOf(Buffer.from('announced'));
      const container = await tester.place('tester/proj/announced');
      const made = await tester.image(container, hash);
      expect(made.status).toBe(200);
      expect(made.body.data).toMatchObject({ uploaded: false, size: 0, hash });
      expect((await tester.image(container, hash)).body.data.id).toBe(made.body.data.id);
      const path = `/v1/images/tester/proj/announced:${hash}`;
      expect((await tester.get(path)).body.data.uploaded).toBe(false);
      expect(await statusOf(other.get(path))).toBe(404);
      expect(await statusOf(anonymous.get(path))).toBe(404);
    });

    it('28: refuses an image in the container of somebody else', async () => {
      const container = await other.place('other/proj/theirs');
      expect(await statusOf(tester.image(container, hashOf(Buffer.from('x'))))).toBe(403);
    });

    it('29: refuses an image in a read-only container', async () => {
      const collection = (await tester.get('/v1/collections/tester/proj')).body.data.id as string;
      const container = (await tester.container(collection, 'frozen', { readOnly: true })).body.data
        .id as string;
      const answer = await tester.image(container, hashOf(Buffer.from('x')));
      expect([answer.status, answer.body.error.reason]).toEqual([403, 'read_only']);
    });

    it('30: content that the caller may read is not asked for again', async () => {
      const container = await tester.place('tester/proj/copy');
      const made = await tester.image(container, hashOf(image));
      expect(made.body.data).toMatchObject({ uploaded: true, size: image.length, arch: 'amd64' });
    });

    it('and content that the caller may not read is asked for, as if it were not there', async () => {
      const entity = (await tester.entity('tester')).body.data.id as string;
      const collection = (await tester.collection(entity, 'hidden', { private: true })).body.data
        .id as string;
      const container = (await tester.container(collection, 'n')).body.data.id as string;
      const secret = await testImage();
      await tester.push('tester/hidden/n', secret);
      expect((await tester.image(container, hashOf(secret))).body.data.uploaded).toBe(true);
      const theirs = await other.place('other/proj/guess');
      expect((await other.image(theirs, hashOf(secret))).body.data).toMatchObject({
        uploaded: false,
        size: 0,
      });
    });

    it.each(['sha256.xyz', `sha256.${'A'.repeat(64)}`, 'sif.123', '', `../${'0'.repeat(64)}`])(
      '31: refuses the hash %j',
      async (hash) => {
        const container = await tester.place('tester/proj/malformed');
        expect(await statusOf(tester.image(container, hash))).toBe(400);
      },
    );
  });

  describe('tags', () => {
    it('52: a fresh container has none', async () => {
      const container = await tester.place('tester/tags/fresh');
      expect((await tester.get(`/v2/tags/${container}`)).body).toEqual({ data: {} });
      expect((await tester.get(`/v1/tags/${container}`)).body).toEqual({ data: {} });
    });

    it('53, 54, 55: a tag belongs to an architecture and moves when it is set again', async () => {
      const [first, second, arm] = await Promise.all([
        testImage(),
        testImage(),
        testImage({ arch: 'arm64' }),
      ]);
      const { id, container } = await tester.push('tester/tags/moving', first, { tags: ['v1'] });
      const forArm = await tester.push('tester/tags/moving', arm, { tags: ['v1'], arch: 'arm64' });
      const tags = async () => (await tester.get(`/v2/tags/${container}`)).body.data as unknown;
      expect(await tags()).toEqual({ amd64: { v1: id }, arm64: { v1: forArm.id } });
      const moved = await tester.push('tester/tags/moving', second, { tags: [] });
      expect(await statusOf(tester.tag(container, 'v1', moved.id))).toBe(200);
      expect(await tags()).toEqual({ amd64: { v1: moved.id }, arm64: { v1: forArm.id } });
    });

    it('56: refuses an unknown image and one of another container', async () => {
      const container = await tester.place('tester/tags/strict');
      const elsewhere = await tester.push('tester/tags/elsewhere', image);
      expect(await statusOf(tester.tag(container, 'v1', '0123456789abcdef01234567'))).toBe(404);
      expect(await statusOf(tester.tag(container, 'v1', elsewhere.id))).toBe(404);
    });

    it.each(['Babsi Streusand', '-oink', 'oink-', hashOf(Buffer.from('x')), ''])(
      '57: refuses the tag %j',
      async (tag) => {
        const { id, container } = await tester.push('tester/tags/names', image);
        expect(await statusOf(tester.tag(container, tag, id))).toBe(400);
      },
    );

    it.each(['V1_Bad', '1.0', '__proto__', 'constructor'])(
      'takes the tag %j as it is written',
      async (tag) => {
        const { id, container } = await tester.push('tester/tags/odd', image);
        expect((await tester.tag(container, tag, id)).body.data.amd64[tag]).toBe(id);
      },
    );

    it('58: the first protocol sets the tag of the image’s own architecture', async () => {
      const { id, container } = await tester.push('tester/tags/v1', image, { tags: [] });
      expect(await statusOf(tester.send('POST', `/v1/tags/${container}`, { Tag: 'v1', ImageID: id }))).toBe(
        200,
      );
      expect((await tester.get(`/v1/tags/${container}`)).body.data).toEqual({ v1: id });
      expect((await tester.get(`/v2/tags/${container}`)).body.data).toEqual({ amd64: { v1: id } });
    });

    it('59: strangers neither set nor list tags, and nobody does without a token', async () => {
      const { id, container } = await tester.push('tester/tags/mine', image);
      expect(await statusOf(other.tag(container, 'v1', id))).toBe(403);
      expect(await statusOf(other.get(`/v2/tags/${container}`))).toBe(403);
      expect(await statusOf(other.get(`/v1/tags/${container}`))).toBe(403);
      expect(await statusOf(anonymous.tag(container, 'v1', id))).toBe(401);
      expect(await statusOf(anonymous.get(`/v2/tags/${container}`))).toBe(401);
    });

    it('a finished image does not lose its tag to one that is not uploaded', async () => {
      const { container } = await tester.push('tester/tags/kept', image, { tags: ['v1'] });
      const unfinished = (await tester.image(container, hashOf(Buffer.from('later')))).body.data.id as string;
      const answer = await tester.tag(container, 'v1', unfinished);
      expect([answer.status, answer.body.error.reason]).toEqual([409, 'not_uploaded']);
      expect(await statusOf(tester.tag(container, 'v2', unfinished))).toBe(200);
      expect(await statusOf(tester.get('/v1/images/tester/tags/kept:v2'))).toBe(404);
    });

    it('a token for one container writes there and nowhere else', async () => {
      const scopes = ['library:write:tester/placed/here'];
      const placed = world.client(await world.authority.token({ username: 'tester', scopes }));
      const { id } = await placed.push('tester/placed/here', image, { tags: ['v1'] });
      expect(id).toMatch(/^[0-9a-f]{24}$/);
      const elsewhere = await tester.place('tester/placed/there');
      expect(await statusOf(placed.image(elsewhere, hashOf(image)))).toBe(403);
    });
  });

  describe('references', () => {
    it.each([
      ['60: only the architecture that has the tag', 'tester/proj/pushed:v1?arch=arm64', 404],
      ['61: no tag is latest', 'tester/proj/pushed?arch=amd64', 200],
      ['62: names without regard to case', 'TESTER/Proj/pushed:v1', 200],
      ['64: an escaped equals sign (Singularity 3.7.0)', 'tester/proj/pushed:v1?arch%3Damd64', 200],
      ['64: the same for another architecture', 'tester/proj/pushed:v1?arch%3Darm64', 404],
      ['no architecture at all', 'tester/proj/pushed:v1', 200],
      ['malformed', 'tester/proj/a..b:v1', 400],
    ])('%s', async (_, path, status) => {
      expect(await statusOf(tester.get(`/v1/images/${path}`))).toBe(status);
      expect(await statusOf(anonymous.get(`/v1/imagefile/${path}`))).toBe(status);
    });

    it('63: short references lead through the defaults without a redirect, also with double slashes', async () => {
      await world.admin.push('library/default/alpine', image);
      await world.admin.push('library/col/alpine', image, { tags: ['1'] });
      for (const path of [
        'alpine:latest',
        '/alpine:latest',
        'col/alpine:1',
        'library//alpine',
        'default/alpine',
      ])
        expect([path, await statusOf(anonymous.get(`/v1/images/${path}`))]).toEqual([path, 200]);
      expect((await anonymous.get('/v1/entities/')).body.data.name).toBe('library');
      expect((await anonymous.get('/v1/collections//col')).body.data.name).toBe('col');
      expect((await anonymous.get('/v1/containers///alpine')).body.data.collectionName).toBe('default');
    });

    it('65: a private image is shown to its owner, and to others exactly like none', async () => {
      const entity = (await tester.entity('tester')).body.data.id as string;
      await tester.collection(entity, 'vault', { private: true });
      const secret = await testImage();
      const { container, id } = await tester.push('tester/vault/n', secret, { tags: ['v1'] });
      for (const path of [
        'images/tester/vault/n:v1',
        'imagefile/tester/vault/n:v1',
        'containers/tester/vault/n',
      ])
        for (const client of [anonymous, other]) {
          const hidden = await client.get(`/v1/${path}`);
          const absent = await client.get(`/v1/${path.replace('vault', 'absent')}`);
          expect([path, hidden.status]).toEqual([path, 404]);
          expect(JSON.stringify(hidden.body)).toBe(JSON.stringify(absent.body).replace('absent', 'vault'));
        }
      expect(await statusOf(tester.get('/v1/images/tester/vault/n:v1'))).toBe(200);
      expect(await statusOf(world.admin.get('/v1/images/tester/vault/n:v1'))).toBe(200);
      for (const answer of [
        other.image(container, hashOf(secret)),
        other.tag(container, 'v2', id),
        other.send('POST', `/v2/imagefile/${id}`, { filesize: 5 }),
        other.send('DELETE', '/v1/images/tester/vault/n:v1'),
      ])
        expect(await statusOf(answer)).toBe(404);
    });
  });

  describe('deleting', () => {
    it('72, 74: takes the record and every tag, and the bytes with the last image that has them', async () => {
      const shared = await testImage();
      const file = hashOf(shared).slice('sha256.'.length);
      await tester.push('tester/del/a', shared, { tags: ['v1', 'v2'] });
      await tester.push('tester/del/b', shared, { tags: ['v1'] });
      const before = (await tester.entity('tester')).body.data.size as number;
      expect(await statusOf(tester.send('DELETE', '/v1/images/tester/del/a:v1?arch=amd64'))).toBe(200);
      for (const tag of ['v1', 'v2', hashOf(shared)])
        expect(await statusOf(tester.get(`/v1/images/tester/del/a:${tag}?arch=amd64`))).toBe(404);
      expect(await statusOf(anonymous.get('/v1/imagefile/tester/del/b:v1'))).toBe(200);
      expect((await tester.entity('tester')).body.data.size).toBe(before);
      expect(await world.blobs()).toContain(file);
      const last = await tester.send('DELETE', `/v1/images/tester/del/b:${hashOf(shared)}`);
      expect([last.status, last.body.data.deleted]).toEqual([200, true]);
      expect((await tester.entity('tester')).body.data.size).toBe(before - shared.length);
      expect(await world.blobs()).not.toContain(file);
    });

    it('72: looks a tag up in the architecture that was asked for', async () => {
      await tester.push('tester/del/arch', await testImage(), { tags: ['v1'] });
      expect(await statusOf(tester.send('DELETE', '/v1/images/tester/del/arch:v1?arch=arm64'))).toBe(404);
      expect(await statusOf(tester.get('/v1/images/tester/del/arch:v1?arch=amd64'))).toBe(200);
    });

    it('73: strangers 403, anonymous 401, unknown 404', async () => {
      const path = '/v1/images/tester/proj/pushed:v1?arch=amd64';
      expect(await statusOf(other.send('DELETE', path))).toBe(403);
      expect(await statusOf(anonymous.send('DELETE', path))).toBe(401);
      expect(await statusOf(tester.send('DELETE', '/v1/images/tester/proj/nothing:v1?arch=amd64'))).toBe(404);
    });

    it('can be pushed again afterwards', async () => {
      const again = await testImage();
      await tester.push('tester/del/again', again);
      await tester.send('DELETE', '/v1/images/tester/del/again:latest');
      await tester.push('tester/del/again', again);
      expect(await statusOf(anonymous.get('/v1/imagefile/tester/del/again'))).toBe(200);
    });
  });

  describe('search', () => {
    it.each([
      '/v1/search?value=ab',
      '/v1/search',
      '/v1/search?value=a&value=b',
      '/v1/search?value=abc&signed=maybe',
    ])('75, 76: refuses %s', async (path) => {
      expect(await statusOf(anonymous.get(path))).toBe(400);
    });

    it('77, 78: with an architecture or a signature only images, with names and tags', async () => {
      await tester.push('tester/finding/needle', await testImage({ signedBy: 'ab'.repeat(20) }), {
        tags: ['v1'],
      });
      await tester.push('tester/finding/needle', await testImage({ arch: 'arm64' }), {
        tags: ['v1'],
        arch: 'arm64',
      });
      const found = async (query: string) => (await anonymous.get(`/v1/search?${query}`)).body.data;
      const amd = await found('value=eedl&arch=amd64');
      expect([amd.entity, amd.collection, amd.container]).toEqual([[], [], []]);
      expect(amd.image).toHaveLength(1);
      expect(amd.image[0]).toMatchObject({
        entityName: 'tester',
        collectionName: 'finding',
        containerName: 'needle',
        tags: ['v1'],
        fingerprints: ['ab'.repeat(20)],
      });
      expect((await found('value=needle&arch=arm64,amd64')).image).toHaveLength(2);
      expect((await found('value=needle&arch=arm64,amd64&signed=true')).image).toHaveLength(1);
      expect((await found('value=needle&signed=false')).image[0].arch).toBe('arm64');
      const all = await found('value=NEEDLE');
      expect([all.container.length, all.image.length]).toEqual([1, 2]);
      expect((await found('value=finding')).collection).toHaveLength(1);
      expect((await found('value=tester/finding/needle')).container).toHaveLength(1);
      expect((await found(`value=${amd.image[0].hash}`)).image).toHaveLength(1);
    });

    it('lists some tags of a container that it found, however many there are', async () => {
      const { id, container } = await tester.push('tester/finding/thicket', image, { tags: [] });
      for (let count = 0; count < LIMITS.tagsInAnswer + 20; count += 1)
        await tester.tag(container, `v${count}`, id);
      const found = (await anonymous.get('/v1/search?value=thicket')).body.data.container[0];
      expect(Object.keys(found.imageTags as object)).toHaveLength(LIMITS.tagsInAnswer);
      const whole = (await anonymous.get('/v1/containers/tester/finding/thicket')).body.data;
      expect(Object.keys(whole.imageTags as object)).toHaveLength(LIMITS.tagsInAnswer + 20);
    });

    // The stand-in for MongoDB reads whole collections for each of the many questions: for small data alone.
    it.skipIf(!atomic)('says when there may be more than it lists, of what the caller may know', async () => {
      const entity = (await tester.entity('tester')).body.data.id as string;
      const collections = [
        (await tester.collection(entity, 'crowd')).body.data.id as string,
        (await tester.collection(entity, 'secrets', { private: true })).body.data.id as string,
      ] as const;
      const make = (at: 0 | 1, count: number) => tester.container(collections[at], `swarm${at}-${count}`);
      const more = async (client: StockClient) => (await client.get('/v1/search?value=swarm')).body['more'];
      for (let count = 0; count < LIMITS.searchObjects; count += 1) await make(0, count);
      expect(await more(anonymous)).toBe(false);
      // What somebody may not know of is counted by nobody but those who may.
      await make(1, 0);
      expect([await more(anonymous), await more(other), await more(tester)]).toEqual([false, false, true]);
      await make(0, LIMITS.searchObjects);
      expect(await more(anonymous)).toBe(true);
    });

    it('79: finds what is private for its members only', async () => {
      const entity = (await tester.entity('tester')).body.data.id as string;
      await tester.collection(entity, 'cellar', { private: true });
      const secret = await testImage();
      await tester.push('tester/cellar/treasure', secret);
      const found = async (client: StockClient, value: string) =>
        (await client.get(`/v1/search?value=${value}`)).body.data.image as unknown[];
      for (const value of ['treasure', hashOf(secret)]) {
        expect(await found(anonymous, value)).toEqual([]);
        expect(await found(other, value)).toEqual([]);
        expect(await found(tester, value)).toHaveLength(1);
        expect(await found(world.admin, value)).toHaveLength(1);
      }
    });
  });

  it('80, 81: every error has the envelope', async () => {
    for (const answer of [
      tester.get('/v1/gru/nz'),
      tester.get('/v2/gru/nz'),
      tester.send('POST', '/v1/entities', 'not an object'),
      tester.app.request('/v1/entities', { method: 'POST', token: tester.token ?? '', body: '{' }),
      anonymous.get('/v1/entities'),
    ]) {
      const { status, headers, body } = await answer;
      expect(headers['content-type']).toMatch(/^application\/json/);
      expect(body.error.code).toBe(status);
      expect(body.error.message).not.toBe('');
    }
  });

  it('85: ids are strings, sizes numbers, times have a zone', async () => {
    const answers = [
      await tester.get('/v1/entities/tester'),
      await tester.get('/v1/collections/tester/proj'),
      await tester.get('/v1/containers/tester/proj/pushed'),
      await tester.get('/v1/images/tester/proj/pushed:v1'),
    ];
    for (const { body } of answers) {
      expect(typeof body.data.id).toBe('string');
      expect(typeof body.data.size).toBe('number');
      for (const time of [body.data.createdAt, body.data.updatedAt]) expect(time).toMatch(/^\d{4}-.*T.*Z$/);
    }
  });
});
