import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppAnswer } from '../../support/app.js';
import { ReadsSeen, toldApart } from '../../support/hidden.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const ROUNDS = 120;
const NO_ID = ['1'.repeat(24), '2'.repeat(24)] as const;
const NO_HASH = [`sha256.${'1'.repeat(64)}`, `sha256.${'2'.repeat(64)}`] as const;

/** The same request for three things that a stranger sees none of: one is there, two are not. */
interface Triple {
  readonly ask: (what: string) => Promise<AppAnswer>;
  readonly hidden: string;
  readonly absent: readonly [string, string];
}

/** What is not there and what is not yours is answered in the same words, after the same work, in the same time. */
describe('what is hidden in the library', () => {
  let reads: ReadsSeen;
  let world: World;
  let triples: Readonly<Record<string, Triple>>;
  beforeAll(async () => {
    reads = await ReadsSeen.watch();
    world = await startLibrary();
    const { tester, other, anonymous } = world;
    const entity = (await tester.entity('tester', { defaultPrivate: true })).body.data.id as string;
    const collection = (await tester.collection(entity, 'vault')).body.data.id as string;
    const secret = await testImage();
    const { id: image, container } = await tester.push('tester/vault/secret', secret, { tags: ['v1'] });
    // In a public place: an image whose upload has not ended is there for whoever may write alone.
    const own = await world.admin.place('team/open/unfinished');
    const unfinished = hashOf(await testImage());
    const begun = (await world.admin.image(own, unfinished)).body.data.id as string;
    await world.admin.tag(own, 'soon', begun);
    const mine = await other.place('other/own/image');
    const hook = await tester.send('POST', '/v1/manage/webhooks/tester', { url: 'https://hooks.invalid/x' });
    const webhook = hook.body.data.id as string;

    const get = (client: StockClient, path: (what: string) => string) => (what: string) =>
      client.get(path(what));
    const change =
      (method: string, path: (what: string) => string, body: (what: string) => object = () => ({})) =>
      (what: string) =>
        other.send(method, path(what), body(what));
    const named = (ask: Triple['ask'], hidden: string, absent: Triple['absent']): Triple => ({
      ask,
      hidden,
      absent,
    });
    const byId = (ask: Triple['ask'], hidden: string) => named(ask, hidden, NO_ID);
    triples = {
      'an entity': named(
        get(other, (name) => `/v1/entities/${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'an entity, asked by nobody': named(
        get(anonymous, (name) => `/v1/entities/${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'a collection': named(
        get(other, (name) => `/v1/collections/tester/${name}`),
        'vault',
        ['vaulx', 'vauly'],
      ),
      'a container': named(
        get(other, (name) => `/v1/containers/tester/vault/${name}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'an image by tag': named(
        get(other, (name) => `/v1/images/tester/vault/${name}:v1?arch=amd64`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'an image by hash': named(
        get(other, (name) => `/v1/images/tester/vault/${name}:${hashOf(secret)}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'the file of an image': named(
        get(anonymous, (name) => `/v1/imagefile/tester/vault/${name}:v1?arch=amd64`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'an image that is not uploaded, by hash': named(
        get(other, (hash) => `/v1/images/team/open/unfinished:${hash}`),
        unfinished,
        NO_HASH,
      ),
      'an image that is not uploaded, by tag': named(
        get(other, (tag) => `/v1/images/team/open/unfinished:${tag}?arch=amd64`),
        'soon',
        ['soox', 'sooy'],
      ),
      'an image that is not uploaded, by tag alone': named(
        get(anonymous, (tag) => `/v1/imagefile/team/open/unfinished:${tag}`),
        'soon',
        ['soox', 'sooy'],
      ),
      'words of a search': named(
        get(other, (word) => `/v1/search?value=${word}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'words of a search beside others': named(
        get(other, (word) => `/v1/search?value=${word}+image`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'a hash in a search': named(
        get(anonymous, (hash) => `/v1/search?value=${hash}`),
        hashOf(secret),
        NO_HASH,
      ),
      'an entity in a search': named(
        get(other, (name) => `/v1/search?value=secret&entity=${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'the details of an image': named(
        get(anonymous, (name) => `/v1/manage/details/tester/vault/${name}/v1?arch=amd64`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'what is in an entity': named(
        get(other, (name) => `/v1/manage/collections/${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'what is in a collection': named(
        get(anonymous, (name) => `/v1/manage/containers/tester/${name}`),
        'vault',
        ['vaulx', 'vauly'],
      ),
      'the images of a container': named(
        get(other, (name) => `/v1/manage/images/tester/vault/${name}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'the signatures of an image': named(
        get(other, (name) => `/v1/manage/signatures/tester/vault/${name}/v1?arch=amd64`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'a container that is described': named(
        change(
          'PATCH',
          (name) => `/v1/manage/containers/tester/vault/${name}`,
          () => ({ description: 'x' }),
        ),
        'secret',
        ['secrex', 'secrey'],
      ),
      'a container that is removed': named(
        change('DELETE', (name) => `/v1/manage/containers/tester/vault/${name}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'an entity whose rules are applied': named(
        change('POST', (name) => `/v1/manage/retention/${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'the downloads of a container': named(
        get(other, (name) => `/v1/manage/downloads/tester/vault/${name}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'a container that gets a star': named(
        change('PUT', (name) => `/v1/manage/stars/tester/vault/${name}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'a container that loses its star': named(
        change('DELETE', (name) => `/v1/manage/stars/tester/vault/${name}`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'the tags of a container': byId(
        get(other, (id) => `/v2/tags/${id}`),
        container,
      ),
      'a tag that is set': byId(
        change(
          'POST',
          (id) => `/v2/tags/${id}`,
          () => ({ Arch: 'amd64', Tag: 'x', ImageID: NO_ID[0] }),
        ),
        container,
      ),
      'the image of a tag that is set': byId(
        change(
          'POST',
          () => `/v2/tags/${mine}`,
          (ImageID) => ({ Arch: 'amd64', Tag: 'x', ImageID }),
        ),
        image,
      ),
      'an image that is deleted': named(
        change('DELETE', (name) => `/v1/images/tester/vault/${name}:v1?arch=amd64`),
        'secret',
        ['secrex', 'secrey'],
      ),
      'the entity of a collection that is made': byId(
        change(
          'POST',
          () => '/v1/collections',
          (id) => ({ name: 'x', entity: id }),
        ),
        entity,
      ),
      'the collection of a container that is made': byId(
        change(
          'POST',
          () => '/v1/containers',
          (id) => ({ name: 'x', collection: id }),
        ),
        collection,
      ),
      'the container of an image that is made': byId(
        change(
          'POST',
          () => '/v1/images',
          (id) => ({ hash: NO_HASH[0], container: id }),
        ),
        container,
      ),
      'an image that is uploaded': byId(
        change(
          'POST',
          (id) => `/v2/imagefile/${id}`,
          () => ({ filesize: 5 }),
        ),
        image,
      ),
      'events of an entity': named(
        get(other, (name) => `/v1/events?entity=${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'events of an entity, asked by nobody': named(
        get(anonymous, (name) => `/v1/events?entity=${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'the webhooks of an entity': named(
        get(other, (name) => `/v1/manage/webhooks/${name}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'a webhook': named(
        get(other, (name) => `/v1/manage/webhooks/${name}/${webhook}`),
        'tester',
        ['absent', 'nobody'],
      ),
      'a webhook that is changed': named(
        change(
          'PATCH',
          (name) => `/v1/manage/webhooks/${name}/${webhook}`,
          () => ({ enabled: false }),
        ),
        'tester',
        ['absent', 'nobody'],
      ),
      'a webhook of another entity': byId(
        get(other, (id) => `/v1/manage/webhooks/other/${id}`),
        webhook,
      ),
      'an upload that is completed': byId(
        change('PUT', (id) => `/v2/imagefile/${id}/_complete`),
        image,
      ),
    };
  }, 60_000);
  afterAll(() => world.stop());

  const NAMES = [
    'an entity',
    'an entity, asked by nobody',
    'a collection',
    'a container',
    'an image by tag',
    'an image by hash',
    'the file of an image',
    'an image that is not uploaded, by hash',
    'an image that is not uploaded, by tag',
    'an image that is not uploaded, by tag alone',
    'words of a search',
    'words of a search beside others',
    'a hash in a search',
    'an entity in a search',
    'the details of an image',
    'what is in an entity',
    'what is in a collection',
    'the images of a container',
    'the signatures of an image',
    'a container that is described',
    'a container that is removed',
    'an entity whose rules are applied',
    'the downloads of a container',
    'a container that gets a star',
    'a container that loses its star',
    'the tags of a container',
    'a tag that is set',
    'the image of a tag that is set',
    'an image that is deleted',
    'the entity of a collection that is made',
    'the collection of a container that is made',
    'the container of an image that is made',
    'an image that is uploaded',
    'events of an entity',
    'events of an entity, asked by nobody',
    'the webhooks of an entity',
    'a webhook',
    'a webhook that is changed',
    'a webhook of another entity',
    'an upload that is completed',
  ];

  it('is tested in all these ways', () => {
    expect(Object.keys(triples)).toEqual(NAMES);
  });

  it.each(NAMES)('%s: in the same words, after the same work', async (name) => {
    const { ask, hidden, absent } = triples[name] ?? never();
    const outcomes = [];
    for (const what of [hidden, ...absent]) {
      let answer: AppAnswer | undefined;
      const done = await reads.of(async () => (answer = await ask(what)));
      const { code, reason, message = '' } = answer?.body.error ?? {};
      // What was asked for is in the words.
      outcomes.push({ status: answer?.status, code, reason, message: message.replace(what, '…'), done });
    }
    expect(outcomes[0]?.status).toBe(/\bsearch\b/.test(name) ? 200 : 404);
    expect(outcomes[0]).toEqual(outcomes[1]);
    expect(outcomes[2]).toEqual(outcomes[1]);
  });

  it('content that others have is asked for as if it were not there', async () => {
    const secret = await testImage();
    for (const container of ['one', 'two', 'three'])
      await world.tester.push(`tester/vault/${container}`, secret);
    const { id: collection } = (await world.other.get('/v1/collections/other/own')).body.data as {
      id: string;
    };
    let count = 0;
    const create = async (hash: string): Promise<AppAnswer> => {
      const made = await world.other.container(collection, `content${(count += 1)}`);
      return world.other.image(made.body.data.id as string, hash);
    };
    const outcomes = [];
    for (const hash of [hashOf(secret), ...NO_HASH]) {
      let answer: AppAnswer | undefined;
      const done = await reads.of(async () => (answer = await create(hash)));
      outcomes.push({ uploaded: answer?.body.data.uploaded as unknown, done });
    }
    expect(outcomes[0]).toEqual({ uploaded: false, done: outcomes[1]?.done });
    expect(outcomes[2]).toEqual(outcomes[1]);
  });

  it('everything: in the same time', async () => {
    const things = Object.entries(triples).map(([name, { ask, hidden, absent }]) => [
      name,
      { hidden: () => ask(hidden), absent: () => ask(absent[0]), control: () => ask(absent[1]) },
    ]);
    expect(await toldApart(Object.fromEntries(things), ROUNDS)).toEqual([]);
  }, 120_000);
});

function never(): never {
  throw new Error('There is no such case');
}
