import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CollectionsStore } from '#apps/library/src/tree/collections.store';
import { ContainersStore } from '#apps/library/src/tree/containers.store';
import { EntitiesStore } from '#apps/library/src/tree/entities.store';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { LibraryModule } from '#apps/library/src/library.module';
import { TagsStore } from '#apps/library/src/images/tags.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { DeliveriesStore } from '#apps/library/src/webhooks/deliveries.store';
import { WebhooksStore } from '#apps/library/src/webhooks/webhooks.store';
import { UploadsStore } from '#apps/library/src/uploads/uploads.store';
import { routesOf } from '#libs/server';
import type { AppAnswer } from '../../support/app.js';
import { asQuery, comparable, extraFields } from '../../support/extra-fields.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

/** Whatever is kept of entities, collections, containers, images, tags and uploads. */
const KEPT = {
  name: 'mallory',
  size: 77,
  held: 77,
  quota: 77,
  stars: 77,
  downloadCount: 77,
  tags: 77,
  containerStars: 77,
  containerDownloads: 77,
  entity: 'a'.repeat(24),
  entityName: 'other',
  collection: 'a'.repeat(24),
  collectionName: 'other',
  collections: ['a'.repeat(24)],
  container: 'a'.repeat(24),
  containerName: 'other',
  containers: ['a'.repeat(24)],
  image: 'a'.repeat(24),
  images: ['a'.repeat(24)],
  imageTags: { evil: 'a'.repeat(24) },
  archTags: { amd64: { evil: 'a'.repeat(24) } },
  hash: `sha256.${'a'.repeat(64)}`,
  blob: 'x',
  uploaded: true,
  signed: true,
  encrypted: true,
  format: 'sif',
  arch: 'riscv64',
  fingerprints: ['F'.repeat(40)],
  signers: ['f'.repeat(40)],
  checkedAt: '2026-01-01T00:00:00.000Z',
  requiredSigners: { push: ['f'.repeat(40)], pull: ['f'.repeat(40)] },
  due: 1,
  changed: false,
  labels: [{ name: 'evil', value: 'label' }],
  secret: 'x',
  disabled: 'failing',
  failingSince: '2000-01-01T00:00:00.000Z',
  dueAt: 1,
  until: 1,
  webhook: 'a'.repeat(24),
  event: { id: 'a'.repeat(24), kind: 'tag.set', time: '', place: 'other' },
  kind: 'single',
  reserved: 0,
  doneAt: 1,
  received: { '1': 'x' },
  url: 'https://other.example',
  private: true,
  readOnly: true,
  defaultPrivate: true,
};
/** The id of nothing. */
const NONE = '-';
const TEXTS = ['name', 'description', 'customData'];

interface Sent {
  readonly world: World;
  /** Owns the entity of this name, and nothing else. */
  readonly owner: StockClient;
  readonly username: string;
  /** Of `extraFields`, without what the route takes. */
  readonly extra: (...taken: readonly string[]) => Record<string, unknown>;
  /** To be added to an address: nothing, or the fields as a query. */
  readonly query: string;
  readonly newName: () => string;
}
/** Sends a body, and tells everything that could have come of it. */
type Case = (sent: Sent) => Promise<unknown>;

const statusAndBody = ({ status, body }: AppAnswer) => ({ status, body: body as unknown });

/** Every document there is about a place, as it is stored. */
async function stored(
  { world: { app } }: Sent,
  ids: { entity?: string; collection?: string; container?: string; image?: string },
): Promise<object> {
  const { entity = NONE, collection = NONE, container = NONE, image = NONE } = ids;
  const value = (found: { value: unknown } | undefined) => found?.value ?? null;
  const values = (found: readonly { value: unknown }[]) => found.map((one) => one.value);
  return {
    entity: value(await app.get(EntitiesStore).get(entity)),
    collection: value(await app.get(CollectionsStore).get(collection)),
    container: value(await app.get(ContainersStore).get(container)),
    image: value(await app.get(ImagesStore).get(image)),
    tags: values(await app.get(TagsStore).ofContainer(container)),
    uploads: values(await app.get(UploadsStore).ofImage(image, 20)),
  };
}

interface Place {
  readonly entity: string;
  readonly collection: string;
  readonly container: string;
}
async function newPlace({ owner, username, newName }: Sent): Promise<Place> {
  const id = ({ body }: AppAnswer) => body.data.id as string;
  const entity = id(await owner.entity(username));
  const collection = id(await owner.collection(entity, newName()));
  return { entity, collection, container: id(await owner.container(collection, newName())) };
}
/** `entity/collection/container`. */
async function pathOf({ world }: Sent, container: string): Promise<string> {
  const { entityName, collectionName, name } =
    (await world.app.get(ContainersStore).get(container))?.value ?? {};
  return `${entityName}/${collectionName}/${name}`;
}
async function newImage(sent: Sent, size = 4096) {
  const place = await newPlace(sent);
  const bytes = await testImage({ size });
  const image = (await sent.owner.image(place.container, hashOf(bytes))).body.data.id as string;
  return { ...place, image, bytes };
}
async function newUpload(sent: Sent) {
  const made = await newImage(sent);
  const path = `/v2/imagefile/${made.image}`;
  const start = await sent.owner.send('POST', path, { filesize: made.bytes.length });
  return { ...made, path, url: start.body.data.uploadURL as string };
}
async function newMultipart(sent: Sent) {
  const made = await newImage(sent);
  const path = `/v2/imagefile/${made.image}/_multipart`;
  const { uploadID } = (await sent.owner.send('POST', path, { filesize: made.bytes.length })).body.data as {
    uploadID: string;
  };
  const part = { uploadID, partNumber: 1, partSize: made.bytes.length, sha256sum: '' };
  const url = (await sent.owner.send('PUT', path, part)).body.data.presignedURL as string;
  return { ...made, path, uploadID, part, url };
}

async function newWebhook(sent: Sent) {
  await newPlace(sent);
  const at = `/v1/manage/webhooks/${sent.username}`;
  const made = await sent.owner.send('POST', at, { url: 'https://hooks.invalid/hook' });
  return { made, path: `${at}/${made.body.data.id as string}` };
}
/** The secret is another one each time. */
function statusAndSecret({ status, body }: AppAnswer) {
  const { secret, ...data } = body.data as Record<string, unknown>;
  return { status, data, hasSecret: typeof secret === 'string' };
}
async function storedHook({ world }: Sent, { body }: AppAnswer): Promise<object> {
  const { secret: _, ...rest } =
    (await world.app.get(WebhooksStore).get(body.data.id as string))?.value ?? {};
  return rest;
}

/** Every route of the library that takes a body. */
const CASES: Readonly<Record<string, Case>> = {
  'POST /v1/entities': async (sent) => {
    const { world, extra, query, newName } = sent;
    const body = { ...extra(...TEXTS, 'defaultPrivate'), description: 'd', customData: 'c' };
    const send = (name: string) => sent.owner.send('POST', `/v1/entities?${query}`, { ...body, name });
    const made = await send(sent.username);
    return [
      statusAndBody(made),
      (await send(newName())).status,
      await stored(sent, { entity: made.body.data.id as string }),
      statusAndBody(await world.other.get('/v1/entities')),
    ];
  },
  'POST /v1/collections': async (sent) => {
    const { world, extra, query, newName } = sent;
    const { entity } = await newPlace(sent);
    const name = newName();
    const body = { ...extra(...TEXTS, 'entity', 'private'), name, description: 'd', customData: 'c', entity };
    const made = await sent.owner.send('POST', `/v1/collections?${query}`, body);
    return [
      statusAndBody(made),
      await stored(sent, { entity, collection: made.body.data.id as string }),
      statusAndBody(await world.anonymous.get(`/v1/collections/${sent.username}/${name}`)),
    ];
  },
  'POST /v1/containers': async (sent) => {
    const { extra, query, newName } = sent;
    const { entity, collection } = await newPlace(sent);
    const name = newName();
    const texts = { name, description: 'd', fullDescription: 'f', customData: 'c' };
    const body = { ...extra(...TEXTS, 'collection', 'private', 'readOnly'), ...texts, collection };
    const made = await sent.owner.send('POST', `/v1/containers?${query}`, body);
    return [
      statusAndBody(made),
      await stored(sent, { entity, collection, container: made.body.data.id as string }),
    ];
  },
  'POST /v1/images': async (sent) => {
    const { extra, query } = sent;
    const place = await newPlace(sent);
    const hash = hashOf(await testImage());
    const body = {
      ...extra(...TEXTS, 'hash', 'container'),
      hash,
      container: place.container,
      description: 'd',
      customData: 'c',
    };
    const made = await sent.owner.send('POST', `/v1/images?${query}`, body);
    return [statusAndBody(made), await stored(sent, { ...place, image: made.body.data.id as string })];
  },
  'POST /v1/tags/:container': async (sent) => {
    const { extra, query } = sent;
    const made = await newImage(sent);
    const body = { ...extra('tags'), Tag: 'v1', ImageID: made.image };
    const set = await sent.owner.send('POST', `/v1/tags/${made.container}?${query}`, body);
    return [statusAndBody(set), await stored(sent, made)];
  },
  'POST /v2/tags/:container': async (sent) => {
    const { extra, query } = sent;
    const made = await newImage(sent);
    const body = { ...extra('tags'), Tag: 'v1', ImageID: made.image, Arch: 'amd64' };
    const set = await sent.owner.send('POST', `/v2/tags/${made.container}?${query}`, body);
    return [statusAndBody(set), await stored(sent, made)];
  },
  'POST /v1/imagefile/:image': async (sent) => {
    const { world, query } = sent;
    const made = await newImage(sent);
    const path = `/v1/imagefile/${made.image}?${query}`;
    const answer = await world.app.request(path, {
      method: 'POST',
      token: sent.owner.token ?? '',
      body: made.bytes,
    });
    return [statusAndBody(answer), await stored(sent, made)];
  },
  'POST /v2/imagefile/:image': async (sent) => {
    const { extra, query } = sent;
    const made = await newImage(sent);
    const body = { ...extra(), filesize: made.bytes.length, md5sum: '', sha256sum: '' };
    const start = await sent.owner.send('POST', `/v2/imagefile/${made.image}?${query}`, body);
    return [statusAndBody(start), await stored(sent, made)];
  },
  'PUT /v2/imagefile/:image/_complete': async (sent) => {
    const { extra, query } = sent;
    const made = await newUpload(sent);
    await sent.owner.put(made.url, made.bytes);
    const answer = await sent.owner.send('PUT', `${made.path}/_complete?${query}`, extra());
    return [statusAndBody(answer), await stored(sent, made)];
  },
  'POST /v2/imagefile/:image/_multipart': async (sent) => {
    const { extra, query } = sent;
    const made = await newImage(sent);
    const body = { ...extra(), filesize: made.bytes.length, resume: false };
    const start = await sent.owner.send('POST', `/v2/imagefile/${made.image}/_multipart?${query}`, body);
    return [statusAndBody(start), await stored(sent, made)];
  },
  'PUT /v2/imagefile/:image/_multipart': async (sent) => {
    const { extra, query } = sent;
    const made = await newMultipart(sent);
    const answer = await sent.owner.send('PUT', `${made.path}?${query}`, { ...extra(), ...made.part });
    return [statusAndBody(answer), await stored(sent, made)];
  },
  'PUT /v2/imagefile/:image/_multipart_complete': async (sent) => {
    const { extra, query } = sent;
    const made = await newMultipart(sent);
    const token = String((await sent.owner.put(made.url, made.bytes)).headers['etag']);
    const completedParts = [{ ...extra('token'), partNumber: 1, token }];
    const body = { ...extra(), uploadID: made.uploadID, completedParts };
    const answer = await sent.owner.send('PUT', `${made.path}_complete?${query}`, body);
    return [statusAndBody(answer), await stored(sent, made)];
  },
  'PUT /v2/imagefile/:image/_multipart_abort': async (sent) => {
    const { extra, query } = sent;
    const made = await newMultipart(sent);
    const body = { ...extra(), uploadID: made.uploadID };
    const answer = await sent.owner.send('PUT', `${made.path}_abort?${query}`, body);
    return [statusAndBody(answer), await stored(sent, made)];
  },
  'PATCH /v1/manage/entities/:entity': async (sent) => {
    const { extra, query, username } = sent;
    const place = await newPlace(sent);
    // Quota is refused, not dropped: whoever asks for it is told.
    const body = {
      ...extra(...TEXTS, 'defaultPrivate', 'quota', 'requiredSigners'),
      description: 'd',
      customData: 'c',
    };
    const answer = await sent.owner.send('PATCH', `/v1/manage/entities/${username}?${query}`, body);
    return [statusAndBody(answer), await stored(sent, place)];
  },
  'PATCH /v1/manage/collections/:entity/:collection': async (sent) => {
    const { extra, query } = sent;
    const place = await newPlace(sent);
    const body = { ...extra(...TEXTS, 'private'), description: 'd', customData: 'c' };
    const path = await pathOf(sent, place.container);
    const address = `/v1/manage/collections/${path.split('/').slice(0, 2).join('/')}?${query}`;
    return [statusAndBody(await sent.owner.send('PATCH', address, body)), await stored(sent, place)];
  },
  'PATCH /v1/manage/containers/:entity/:collection/:container': async (sent) => {
    const { extra, query } = sent;
    const place = await newPlace(sent);
    const taken = [...TEXTS, 'fullDescription', 'private', 'readOnly'];
    const body = { ...extra(...taken), description: 'd', fullDescription: '# d' };
    const address = `/v1/manage/containers/${await pathOf(sent, place.container)}?${query}`;
    return [statusAndBody(await sent.owner.send('PATCH', address, body)), await stored(sent, place)];
  },
  'POST /v1/manage/retention/:entity/:collection/:container': async (sent) => {
    const { extra, query } = sent;
    const place = await newPlace(sent);
    const body = { ...extra(), rules: { ...extra(), keepLast: 1 } };
    const address = `/v1/manage/retention/${await pathOf(sent, place.container)}?${query}`;
    return [statusAndBody(await sent.owner.send('POST', address, body)), await stored(sent, place)];
  },
  'POST /v1/manage/retention/:entity': async (sent) => {
    const { extra, query, username } = sent;
    const place = await newPlace(sent);
    const body = { ...extra(), rules: { ...extra(), keepLast: 1 } };
    const answer = await sent.owner.send('POST', `/v1/manage/retention/${username}?${query}`, body);
    return [statusAndBody(answer), await stored(sent, place)];
  },
  'PATCH /v1/manage/accounts/:account': async (sent) => {
    const { world, extra, query, username } = sent;
    const place = await newPlace(sent);
    const body = { ...extra('quota'), quota: 5_000_000 };
    const answer = await world.admin.send('PATCH', `/v1/manage/accounts/${username}?${query}`, body);
    return [statusAndBody(answer), await stored(sent, place)];
  },
  'PUT /v1/manage/stars/:entity/:collection/:container': async (sent) => {
    const { extra, query } = sent;
    const place = await newPlace(sent);
    const address = `/v1/manage/stars/${await pathOf(sent, place.container)}?${query}`;
    return [statusAndBody(await sent.owner.send('PUT', address, extra())), await stored(sent, place)];
  },
  'POST /v1/manage/webhooks/:entity': async (sent) => {
    const { extra, query, username } = sent;
    await newPlace(sent);
    const texts = { url: 'https://hooks.invalid/new', description: 'd', kinds: ['tag.set'] };
    const body = { ...extra('url', 'description', 'kinds'), ...texts };
    const made = await sent.owner.send('POST', `/v1/manage/webhooks/${username}?${query}`, body);
    return [statusAndSecret(made), await storedHook(sent, made)];
  },
  'PATCH /v1/manage/webhooks/:entity/:id': async (sent) => {
    const { extra, query } = sent;
    const { path, made } = await newWebhook(sent);
    const texts = { description: 'd', kinds: ['tag.set'], enabled: false, newSecret: true };
    const body = { ...extra('url', ...Object.keys(texts)), ...texts };
    return [
      statusAndSecret(await sent.owner.send('PATCH', `${path}?${query}`, body)),
      await storedHook(sent, made),
    ];
  },
  'POST /v1/manage/webhooks/:entity/:id/ping': async (sent) => {
    const { extra, query } = sent;
    const { path } = await newWebhook(sent);
    const answer = await sent.owner.send('POST', `${path}/ping?${query}`, extra());
    const { event } = answer.body.data as { event: object };
    return [{ status: answer.status, event }];
  },
  'POST /v1/manage/webhooks/:entity/:id/deliveries/:delivery/redeliver': async (sent) => {
    const { extra, query } = sent;
    const { path, made } = await newWebhook(sent);
    const hook = made.body.data.id as string;
    const store = sent.world.app.get(DeliveriesStore);
    // One that is over, as if it had been sent long ago.
    const event = { id: 'c'.repeat(24), kind: 'ping', time: '2026-01-01T00:00:00.000Z', place: 'x' };
    const { id, write } = store.creation(hook, event, { now: new Date(), until: Date.now() });
    await sent.world.app.get<Database>(DATABASE).commit([write]);
    const found = await store.get(id);
    if (found === undefined) throw new Error('There is no delivery');
    const { dueAt: _, ...rest } = found.value;
    await store.replace(found, { ...rest, state: 'given_up', over: rest.order });
    const again = await sent.owner.send('POST', `${path}/deliveries/${id}/redeliver?${query}`, extra());
    return [{ status: again.status, event: (again.body.data as { event: unknown }).event }];
  },
  'PUT /v2/upload/:upload/:part': async (sent) => {
    const { world, query } = sent;
    const made = await newUpload(sent);
    const { pathname, search } = new URL(made.url);
    const answer = await world.app.request(`${pathname}${search}&${query}`, {
      method: 'PUT',
      body: made.bytes,
    });
    return [statusAndBody(answer), await stored(sent, made)];
  },
  'POST /v1/library/check': async (sent) => {
    const { world, extra, query } = sent;
    const made = await newUpload(sent);
    const answer = await world.admin.send(
      'POST',
      `/v1/library/check?${query}`,
      extra('repair', 'rehash', 'cursor'),
    );
    const { problems, unsettled } = answer.body.data as { problems: unknown; unsettled: unknown };
    return [{ status: answer.status, problems, unsettled }, await stored(sent, made)];
  },
};

describe('bodies of the library', () => {
  let world: World;
  let names = 0;
  beforeAll(async () => {
    world = await startLibrary();
  });
  afterAll(() => world.stop());

  const newName = () => `new${(names += 1)}`;
  const run = async (send: Case, fields: (...taken: readonly string[]) => Record<string, unknown>) => {
    const username = newName();
    const owner = world.client(await world.authority.token({ username }));
    return comparable(
      await send({ world, owner, username, newName, extra: fields, query: asQuery(fields()) }),
    );
  };

  it('are tested for every route that takes one', () => {
    const taking = routesOf([LibraryModule]).filter(({ method }) => !['GET', 'DELETE'].includes(method));
    expect(taking.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(CASES).sort());
  });

  it.each(Object.entries(CASES))('%s: fields that no client may set change nothing', async (_, send) => {
    const plain = await run(send, () => ({}));
    expect((plain as object[])[0]).toMatchObject({ status: 200 });
    expect(await run(send, (...taken) => extraFields(KEPT, ...taken))).toEqual(plain);
  });

  it('nobody but an administrator gives quota', async () => {
    const name = newName();
    const client = world.client(await world.authority.token({ username: name }));
    expect((await client.entity(name, { quota: 77 })).body.data.quota).toBe(0);
    expect((await world.admin.entity(newName(), { quota: 77 })).body.data.quota).toBe(77);
  });
});
