import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LibraryModule } from '#apps/library/src/library.module';
import { routesOf } from '#libs/server';
import type { AppAnswer } from '../../support/app.js';
import { ReadsSeen } from '../../support/hidden.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

/*
 * Ids and names of others in every place of every route where one can stand: in addresses, in bodies, in signed addresses. A stranger is
 * answered in the same words and after the same work as for what is not there. (Times, for what stock clients ask: hidden.spec.ts.)
 */

const ABSENT = ['1'.repeat(24), '2'.repeat(24)] as const;

/** What another tenant has, and what nobody has in two ways. */
type Things = Readonly<Record<Hidden | 'own' | 'ownHook', string>>;
type Hidden =
  'entity' | 'collection' | 'container' | 'image' | 'single' | 'parts' | 'name' | 'webhook' | 'delivery';
interface Place {
  readonly method: string;
  readonly path: (things: Things) => string;
  readonly body?: (things: Things) => object;
}

const place = (method: string, path: Place['path'], body?: Place['body']): Place => ({
  method,
  path,
  ...(body === undefined ? {} : { body }),
});

/** Routes of one webhook. */
function webhookPlaces(where: string, at: Place['path']): Record<string, Place> {
  const path = (things: Things): string => `/v1/manage/webhooks/${at(things)}`;
  const route = '/v1/manage/webhooks/:entity/:id';
  return {
    [`GET ${route}${where}`]: place('GET', path),
    [`PATCH ${route}${where}`]: place('PATCH', path, () => ({ description: 'x' })),
    [`DELETE ${route}${where}`]: place('DELETE', path),
    [`GET ${route}/deliveries${where}`]: place('GET', (things) => `${path(things)}/deliveries`),
    [`POST ${route}/ping${where}`]: place('POST', (things) => `${path(things)}/ping`),
    [`POST ${route}/deliveries/:delivery/redeliver${where}`]: place(
      'POST',
      (things) => `${path(things)}/deliveries/${things.delivery}/redeliver`,
    ),
  };
}

const HOOK = { url: 'https://hooks.invalid/x' };

/**
 * Where nothing is told of what is hidden: 404, but for uploads, of which stock clients must never hear that (library contract §6.1).
 * By route, with the place behind a comma where there are several.
 */
const PLACES: Readonly<Record<string, Place>> = {
  'GET /v1/tags/:container': place('GET', ({ container }) => `/v1/tags/${container}`),
  'GET /v2/tags/:container': place('GET', ({ container }) => `/v2/tags/${container}`),
  'POST /v1/tags/:container': place(
    'POST',
    ({ container }) => `/v1/tags/${container}`,
    ({ image }) => ({ Tag: 'x', ImageID: image }),
  ),
  'POST /v2/tags/:container': place(
    'POST',
    ({ container }) => `/v2/tags/${container}`,
    ({ image }) => ({ Arch: 'amd64', Tag: 'x', ImageID: image }),
  ),
  'POST /v1/tags/:container, ImageID': place(
    'POST',
    ({ own }) => `/v1/tags/${own}`,
    ({ image }) => ({ Tag: 'x', ImageID: image }),
  ),
  'POST /v2/tags/:container, ImageID': place(
    'POST',
    ({ own }) => `/v2/tags/${own}`,
    ({ image }) => ({ Arch: 'amd64', Tag: 'x', ImageID: image }),
  ),
  'POST /v1/collections, entity': place(
    'POST',
    () => '/v1/collections',
    ({ entity }) => ({ name: 'x', entity }),
  ),
  'POST /v1/containers, collection': place(
    'POST',
    () => '/v1/containers',
    ({ collection }) => ({ name: 'x', collection }),
  ),
  'POST /v1/images, container': place(
    'POST',
    () => '/v1/images',
    ({ container }) => ({ hash: `sha256.${'1'.repeat(64)}`, container }),
  ),
  'POST /v1/imagefile/:image': place(
    'POST',
    ({ image }) => `/v1/imagefile/${image}`,
    () => ({ some: 'bytes' }),
  ),
  'POST /v2/imagefile/:image': place(
    'POST',
    ({ image }) => `/v2/imagefile/${image}`,
    () => ({ filesize: 5 }),
  ),
  'PUT /v2/imagefile/:image/_complete': place(
    'PUT',
    ({ single }) => `/v2/imagefile/${single}/_complete`,
    () => ({}),
  ),
  'POST /v2/imagefile/:image/_multipart': place(
    'POST',
    ({ image }) => `/v2/imagefile/${image}/_multipart`,
    () => ({ filesize: 5 }),
  ),
  'POST /v2/imagefile/:image/_multipart, uploadID': place(
    'POST',
    ({ single }) => `/v2/imagefile/${single}/_multipart`,
    ({ parts }) => ({ filesize: 5, resume: true, uploadID: parts }),
  ),
  'PUT /v2/imagefile/:image/_multipart': place(
    'PUT',
    ({ single }) => `/v2/imagefile/${single}/_multipart`,
    ({ parts }) => ({ uploadID: parts, partNumber: 1 }),
  ),
  'PUT /v2/imagefile/:image/_multipart_complete': place(
    'PUT',
    ({ single }) => `/v2/imagefile/${single}/_multipart_complete`,
    ({ parts }) => ({ uploadID: parts, completedParts: [{ partNumber: 1, token: '' }] }),
  ),
  'PUT /v2/imagefile/:image/_multipart_abort': place(
    'PUT',
    ({ single }) => `/v2/imagefile/${single}/_multipart_abort`,
    ({ parts }) => ({ uploadID: parts }),
  ),
  'GET /v1/entities/*': place('GET', ({ name }) => `/v1/entities/${name}`),
  'GET /v1/collections/*': place('GET', ({ name }) => `/v1/collections/${name}/vault`),
  'GET /v1/containers/*': place('GET', ({ name }) => `/v1/containers/${name}/vault/secret`),
  'GET /v1/images/*': place('GET', ({ name }) => `/v1/images/${name}/vault/secret:v1?arch=amd64`),
  'GET /v1/imagefile/*': place('GET', ({ name }) => `/v1/imagefile/${name}/vault/secret:v1?arch=amd64`),
  'GET /v1/manage/signatures/:entity/:collection/:container/:ref': place(
    'GET',
    ({ name }) => `/v1/manage/signatures/${name}/vault/secret/v1`,
  ),
  'GET /v1/manage/details/:entity/:collection/:container/:ref': place(
    'GET',
    ({ name }) => `/v1/manage/details/${name}/vault/secret/v1`,
  ),
  'GET /v1/manage/downloads/:entity/:collection/:container': place(
    'GET',
    ({ name }) => `/v1/manage/downloads/${name}/vault/secret`,
  ),
  'PUT /v1/manage/stars/:entity/:collection/:container': place(
    'PUT',
    ({ name }) => `/v1/manage/stars/${name}/vault/secret`,
  ),
  'DELETE /v1/manage/stars/:entity/:collection/:container': place(
    'DELETE',
    ({ name }) => `/v1/manage/stars/${name}/vault/secret`,
  ),
  'GET /v1/manage/accounts/:account': place('GET', ({ name }) => `/v1/manage/accounts/${name}`),
  'GET /v1/events, entity': place('GET', ({ name }) => `/v1/events?entity=${name}`),
  'GET /v1/manage/webhooks/:entity': place('GET', ({ name }) => `/v1/manage/webhooks/${name}`),
  'POST /v1/manage/webhooks/:entity': place(
    'POST',
    ({ name }) => `/v1/manage/webhooks/${name}`,
    () => HOOK,
  ),
  ...webhookPlaces(', entity', ({ name, webhook }) => `${name}/${webhook}`),
  ...webhookPlaces(', id', ({ webhook }) => `other/${webhook}`),
  'POST /v1/manage/webhooks/:entity/:id/deliveries/:delivery/redeliver, delivery': place(
    'POST',
    ({ ownHook, delivery }) => `/v1/manage/webhooks/other/${ownHook}/deliveries/${delivery}/redeliver`,
  ),
  'POST /v1/manage/retention/:entity': place(
    'POST',
    ({ name }) => `/v1/manage/retention/${name}`,
    () => ({ rules: { keepLast: 1 } }),
  ),
  'GET /v1/manage/collections/:entity': place('GET', ({ name }) => `/v1/manage/collections/${name}`),
  'GET /v1/manage/containers/:entity/:collection': place(
    'GET',
    ({ name }) => `/v1/manage/containers/${name}/vault`,
  ),
  'GET /v1/manage/images/:entity/:collection/:container': place(
    'GET',
    ({ name }) => `/v1/manage/images/${name}/vault/secret`,
  ),
  'GET /v1/manage/tags/:entity/:collection/:container': place(
    'GET',
    ({ name }) => `/v1/manage/tags/${name}/vault/secret`,
  ),
  'PATCH /v1/manage/entities/:entity': place(
    'PATCH',
    ({ name }) => `/v1/manage/entities/${name}`,
    () => ({ description: 'x' }),
  ),
  'PATCH /v1/manage/collections/:entity/:collection': place(
    'PATCH',
    ({ name }) => `/v1/manage/collections/${name}/vault`,
    () => ({ description: 'x' }),
  ),
  'PATCH /v1/manage/containers/:entity/:collection/:container': place(
    'PATCH',
    ({ name }) => `/v1/manage/containers/${name}/vault/secret`,
    () => ({ description: 'x' }),
  ),
  'POST /v1/manage/retention/:entity/:collection/:container': place(
    'POST',
    ({ name }) => `/v1/manage/retention/${name}/vault/secret`,
    () => ({ rules: { keepLast: 1 } }),
  ),
  'DELETE /v1/manage/entities/:entity': place('DELETE', ({ name }) => `/v1/manage/entities/${name}`),
  'DELETE /v1/manage/collections/:entity/:collection': place(
    'DELETE',
    ({ name }) => `/v1/manage/collections/${name}/vault`,
  ),
  'DELETE /v1/manage/containers/:entity/:collection/:container': place(
    'DELETE',
    ({ name }) => `/v1/manage/containers/${name}/vault/secret`,
  ),
  'DELETE /v1/manage/tags/:entity/:collection/:container/:tag': place(
    'DELETE',
    ({ name }) => `/v1/manage/tags/${name}/vault/secret/v1`,
  ),
  'DELETE /v1/images/*': place('DELETE', ({ name }) => `/v1/images/${name}/vault/secret:v1?arch=amd64`),
};

/** The id of an upload beside an image of one's own. */
const UPLOADS: Readonly<Record<string, Place>> = {
  'PUT /v2/imagefile/:image/_multipart': place(
    'PUT',
    ({ own }) => `/v2/imagefile/${own}/_multipart`,
    ({ parts }) => ({ uploadID: parts, partNumber: 1 }),
  ),
  'PUT /v2/imagefile/:image/_multipart_complete': place(
    'PUT',
    ({ own }) => `/v2/imagefile/${own}/_multipart_complete`,
    ({ parts }) => ({ uploadID: parts, completedParts: [{ partNumber: 1, token: '' }] }),
  ),
  'PUT /v2/imagefile/:image/_multipart_abort': place(
    'PUT',
    ({ own }) => `/v2/imagefile/${own}/_multipart_abort`,
    ({ parts }) => ({ uploadID: parts }),
  ),
  'PUT /v2/upload/:upload/:part': place(
    'PUT',
    ({ parts }) => `/v2/upload/${parts}/1?expires=99999999999&signature=${'A'.repeat(43)}`,
    () => ({ some: 'bytes' }),
  ),
};

/** Where the same is answered for everything, but not 404. */
const OTHERWISE: Readonly<Record<string, Place & { readonly status: number }>> = {
  // A name is an account's or an organisation's.
  'POST /v1/entities': {
    ...place(
      'POST',
      () => '/v1/entities',
      ({ name }) => ({ name }),
    ),
    status: 403,
  },
  'GET /v1/search, entity': {
    ...place('GET', ({ name }) => `/v1/search?value=secret&entity=${name}`),
    status: 200,
  },
  // For administrators, before anything is looked at.
  'PATCH /v1/manage/accounts/:account': {
    ...place(
      'PATCH',
      ({ name }) => `/v1/manage/accounts/${name}`,
      () => ({ quota: 1 }),
    ),
    status: 403,
  },
};

/** Routes with no place for what is somebody else's. */
const NO_PLACE: Readonly<Record<string, string>> = {
  'GET /v1/entities':
    'a list without a name: each caller gets what it could find (test/http/access/library.spec.ts)',
  'GET /v1/oci-redirect': 'there is no registry, whatever is asked',
  'GET /v1/manage/stars':
    "the caller's own; what is hidden since is left out (test/http/library/stars.spec.ts)",
  'POST /v1/library/check': 'the whole library, for administrators',
  'GET /v1/library/damaged': 'the whole library, for administrators',
};

it('lists every route of the library, or says why there is no place in it', () => {
  const listed = [PLACES, UPLOADS, OTHERWISE, NO_PLACE].flatMap((places) =>
    Object.keys(places).map((name) => name.replace(/,.*/, '')),
  );
  const routes = routesOf([LibraryModule]).map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(listed)].toSorted()).toEqual(routes.toSorted());
  expect(listed.filter((name) => name in NO_PLACE)).toEqual(Object.keys(NO_PLACE));
});

describe('ids of others in the library', () => {
  let reads: ReadsSeen;
  let world: World;
  let hidden: Things;
  let absent: readonly [Things, Things];
  /** An image of the stranger that is not uploaded. */
  let ownImage: string;

  beforeAll(async () => {
    reads = await ReadsSeen.watch();
    world = await startLibrary({ limits: { partBytes: 1000 } });
    const { tester, other } = world;
    const entity = (await tester.entity('tester', { defaultPrivate: true })).body.data.id as string;
    const collection = (await tester.collection(entity, 'vault')).body.data.id as string;
    const { id: image, container } = await tester.push('tester/vault/secret', await testImage(), {
      tags: ['v1'],
    });
    const begun = (await tester.image(container, hashOf(Buffer.from('begun')))).body.data.id as string;
    const { uploadID } = (await tester.send('POST', `/v2/imagefile/${begun}/_multipart`, { filesize: 2000 }))
      .body.data;
    const webhook = (await tester.send('POST', '/v1/manage/webhooks/tester', HOOK)).body.data.id as string;
    const delivery = (await tester.send('POST', `/v1/manage/webhooks/tester/${webhook}/ping`)).body.data
      .id as string;
    const off = await tester.send('PATCH', `/v1/manage/webhooks/tester/${webhook}`, { enabled: false });
    if (off.status !== 200) throw new Error('The webhook is not disabled');
    const own = await other.place('other/own/image');
    const quiet = { ...HOOK, kinds: ['key.revoked'] };
    const ownHook = (await other.send('POST', '/v1/manage/webhooks/other', quiet)).body.data.id as string;
    ownImage = (await other.image(own, hashOf(Buffer.from('own')))).body.data.id as string;
    hidden = {
      entity,
      collection,
      container,
      image,
      single: begun,
      parts: uploadID as string,
      name: 'tester',
      webhook,
      delivery,
      own,
      ownHook,
    };
    const nothing = (id: string, name: string): Things => ({
      entity: id,
      collection: id,
      container: id,
      image: id,
      single: id,
      parts: id,
      name,
      webhook: id,
      delivery: id,
      own,
      ownHook,
    });
    absent = [nothing(ABSENT[0], 'absent'), nothing(ABSENT[1], 'nobody')];
  });
  afterAll(() => world.stop());

  /** What a stranger is told, without what he asked for, and what the library read for it. */
  async function outcome({ method, path, body }: Place, things: Things) {
    let answer: AppAnswer | undefined;
    const done = await reads.of(async () => {
      answer = await world.other.send(method, path(things), body?.(things));
    });
    const { code, reason, message = '' } = answer?.body.error ?? {};
    const words = Object.values(things).reduce<string>((text, id) => text.replaceAll(id, '…'), message);
    return { status: answer?.status, code, reason, words, data: answer?.body.data as unknown, done };
  }

  it.each(Object.keys(PLACES))('%s: as if there were none', async (name) => {
    const at = PLACES[name] as Place;
    const [first, second] = [await outcome(at, absent[0]), await outcome(at, absent[1])];
    expect(first.status).toBe(404);
    expect(second).toEqual(first);
    expect(await outcome(at, hidden)).toEqual(first);
  });

  it.each(Object.keys(OTHERWISE))('%s: the same as if there were none', async (name) => {
    const at = OTHERWISE[name] as (typeof OTHERWISE)[string];
    const [first, second] = [await outcome(at, absent[0]), await outcome(at, absent[1])];
    expect(first.status).toBe(at.status);
    expect(second).toEqual(first);
    expect(await outcome(at, hidden)).toEqual(first);
  });

  it.each(Object.keys(UPLOADS))(
    '%s, with the upload of somebody else: as if there were none',
    async (name) => {
      const at = UPLOADS[name] as Place;
      const mine = (things: Things) => ({ ...things, own: ownImage });
      const first = await outcome(at, mine(absent[0]));
      expect([200, 403, 409]).toContain(first.status);
      expect(await outcome(at, mine(absent[1]))).toEqual(first);
      expect(await outcome(at, mine(hidden))).toEqual(first);
    },
  );

  it('an upload that is named by somebody else is not gone on with, nor given up', async () => {
    const mine = (await world.other.image(hidden.own, hashOf(Buffer.from('named')))).body.data.id as string;
    const body = { filesize: 2000, resume: true, uploadID: hidden.parts };
    const begun = await world.other.send('POST', `/v2/imagefile/${mine}/_multipart`, body);
    expect(begun.body.data.uploadID).not.toBe(hidden.parts);
    const owner = { uploadID: hidden.parts, partNumber: 1 };
    expect((await world.tester.send('PUT', `/v2/imagefile/${hidden.single}/_multipart`, owner)).status).toBe(
      200,
    );
  });
});
