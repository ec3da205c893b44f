import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CollectionsStore } from '#apps/library/src/tree/collections.store';
import { ContainersStore } from '#apps/library/src/tree/containers.store';
import { EntitiesStore } from '#apps/library/src/tree/entities.store';
import { FinishUploadService } from '#apps/library/src/uploads/finishUpload.service';
import { SweepService } from '#apps/library/src/storage/sweep.service';
import { UploadsStore } from '#apps/library/src/uploads/uploads.store';
import { BlobStore } from '#libs/blobs';
import { DomainError, ManualClock } from '#libs/core';
import { requireNothingWrong } from './checked.js';
import { cutUpload, rawRequest } from './transfer.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const PART = 100_000;
const MINUTE = 60_000;

/** What happens at the worst moment: the moment is made by standing in for one method of a store. */
describe('a library at the worst moment', () => {
  let world: World;
  let tester: StockClient;
  let clock: ManualClock;
  let bytes: Buffer;

  beforeEach(async () => {
    clock = new ManualClock(new Date());
    world = await startLibrary({ limits: { partBytes: PART }, clock });
    ({ tester } = world);
    bytes = await testImage({ size: 250_000 });
  });
  afterEach(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  const announce = async (path = 'tester/race/n') =>
    (await tester.image(await tester.place(path), hashOf(bytes))).body.data.id as string;

  async function beginParts() {
    const id = await announce();
    const path = `/v2/imagefile/${id}/_multipart`;
    const uploadID = (await tester.send('POST', path, { filesize: bytes.length })).body.data
      .uploadID as string;
    const address = async (partNumber: number) => {
      const answer = await tester.send('PUT', path, { uploadID, partNumber, sha256sum: '' });
      return new URL(answer.body.data.presignedURL as string);
    };
    const part = (number: number) => bytes.subarray((number - 1) * PART, number * PART);
    return {
      id,
      uploadID,
      part,
      address,
      send: async (number: number) => tester.put((await address(number)).href, part(number)),
      abort: () => tester.send('PUT', `${path}_abort`, { uploadID }),
      complete: (tokens: readonly unknown[]) =>
        tester.send('PUT', `${path}_complete`, {
          uploadID,
          completedParts: tokens.map((token, index) => ({ partNumber: index + 1, token })),
        }),
    };
  }

  it('leaves nothing of an upload that is given up when the bytes of a part are about to arrive', async () => {
    const upload = await beginParts();
    const { href } = await upload.address(1);
    const store = world.app.get(UploadsStore);
    const get = store.get.bind(store);
    store.get = async (id) => {
      const found = await get(id);
      store.get = get;
      await upload.abort();
      return found;
    };
    const sent = await tester.put(href, upload.part(1));
    expect([sent.status, sent.body.error.reason]).toEqual([409, 'upload_closed']);
    expect(await world.temporaries()).toEqual([]);
    expect(await store.parts(upload.uploadID)).toEqual([]);
  });

  it('leaves nothing of an upload that is given up when the bytes of a part have arrived', async () => {
    const upload = await beginParts();
    const store = world.app.get(UploadsStore);
    const putPart = store.putPart.bind(store);
    store.putPart = async (part) => {
      await upload.abort();
      await putPart(part);
    };
    const sent = await upload.send(1);
    expect([sent.status, sent.body.error.reason]).toEqual([409, 'upload_closed']);
    expect(await world.temporaries()).toEqual([]);
    expect(await store.parts(upload.uploadID)).toEqual([]);
  });

  it.each([
    ['in one piece', ''],
    ['in parts', '/_multipart'],
  ])('begins no upload %s of an image that is removed at this moment', async (_, kind) => {
    const id = await announce();
    const blobs = world.app.get(BlobStore);
    const checkSpace = blobs.checkSpace.bind(blobs);
    blobs.checkSpace = async (size) => {
      blobs.checkSpace = checkSpace;
      expect((await tester.send('DELETE', '/v1/manage/containers/tester/race/n')).status).toBe(200);
      await checkSpace(size);
    };
    const begun = await tester.send('POST', `/v2/imagefile/${id}${kind}`, { filesize: bytes.length });
    expect([begun.status, begun.body.error.reason]).toEqual([404, 'image_not_found']);
    expect(await world.app.get(UploadsStore).ofImage(id, 10)).toEqual([]);
  });

  it('leaves no file of a part that is sent while its upload is stored', async () => {
    const upload = await beginParts();
    const tokens = [];
    for (const number of [1, 2, 3]) tokens.push((await upload.send(number)).headers['etag']);
    const { href } = await upload.address(3);
    const store = world.app.get(UploadsStore);
    const [get, part] = [store.get.bind(store), store.part.bind(store)];
    const [looked, gate, opened] = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
    store.get = async (id) => {
      const found = await get(id);
      store.get = get;
      looked?.resolve();
      await gate?.promise;
      store.get = (one) => (opened?.resolve(), get(one));
      store.part = (one, number) => (opened?.resolve(), part(one, number));
      return found;
    };
    const late = tester.put(href, upload.part(3));
    await looked?.promise;
    const finishing = world.app.get(FinishUploadService);
    const finish = finishing.store.bind(finishing);
    finishing.store = async (one, blob, ...rest) => {
      const commit = blob.commit.bind(blob);
      blob.commit = async (digest) => {
        await commit(digest);
        // The bytes are a blob by now, the image is not there yet, and the part that was let in opens its file.
        gate?.resolve();
        await opened?.promise;
      };
      await finish(one, blob, ...rest);
    };
    expect((await upload.complete(tokens)).status).toBe(200);
    expect((await late).status).toBe(409);
    expect(await world.temporaries()).toEqual([]);
  });

  it('keeps the bytes of a part when another one is cut before the first is noted', async () => {
    const upload = await beginParts();
    const store = world.app.get(UploadsStore);
    const putPart = store.putPart.bind(store);
    const part = store.part.bind(store);
    const [arrived, gate, begun] = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
    store.part = (one, number) => {
      if (number === 2) begun?.resolve();
      return part(one, number);
    };
    store.putPart = async (part) => {
      arrived?.resolve();
      await gate?.promise;
      await putPart(part);
    };
    const first = upload.send(1);
    await arrived?.promise;
    const url = await upload.address(2);
    await cutUpload(world.app, url.pathname + url.search, {
      method: 'PUT',
      body: upload.part(2),
      sent: 1000,
    });
    await begun?.promise;
    const blobs = world.app.get(BlobStore);
    await expect.poll(() => blobs.isActive(upload.uploadID)).toBe(false);
    // Time for what would be wrong here: to remove the bytes of both.
    await world.anonymous.get('/healthz');
    gate?.resolve();
    const tokens = [(await first).headers['etag']];
    for (const number of [2, 3]) tokens.push((await upload.send(number)).headers['etag']);
    expect((await upload.complete(tokens)).status).toBe(200);
    const answer = await rawRequest(world.app, `/v1/imagefile/tester/race/n:${hashOf(bytes)}`);
    expect(answer.body.equals(bytes)).toBe(true);
  });

  it('takes a content again after its removal failed', async () => {
    await tester.push('tester/race/n', bytes);
    const blobs = world.app.get(BlobStore);
    const remove = blobs.remove.bind(blobs);
    blobs.remove = () => Promise.reject(new DomainError('unavailable', 'The disk reports an error'));
    expect((await tester.send('DELETE', '/v1/images/tester/race/n:latest')).status).toBe(503);
    expect((await tester.get('/v1/images/tester/race/n:latest')).status).toBe(404);
    blobs.remove = remove;
    clock.advance(11 * MINUTE);
    await world.app.get(SweepService).sweep();
    expect(await world.blobs()).toEqual([]);
    await tester.push('tester/race/n', bytes);
    expect((await tester.get('/v1/images/tester/race/n:latest')).status).toBe(200);
  });

  it('gives the other uploads up when one of them cannot be', async () => {
    const first = await beginParts();
    const other = await tester.image(await tester.place('tester/race/other'), hashOf(bytes));
    const id = other.body.data.id as string;
    await tester.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
    const finishing = world.app.get(FinishUploadService);
    const end = finishing.end.bind(finishing);
    finishing.end = async (one) => {
      if (one === first.uploadID) throw new Error('the disk');
      await end(one);
    };
    clock.advance(61 * MINUTE);
    await world.app.get(SweepService).sweep();
    const left = await world.app.get(UploadsStore).all('open');
    expect(left.map((upload) => upload.id)).toEqual([first.uploadID]);
  });

  it('asks as often for what is hidden as for what is not there', async () => {
    const entity = (await tester.entity('tester', { defaultPrivate: true })).body.data.id as string;
    const collection = (await tester.collection(entity, 'vault')).body.data.id as string;
    await tester.container(collection, 'n');
    let asked = 0;
    for (const type of [EntitiesStore, CollectionsStore, ContainersStore]) {
      const store = world.app.get<{ get(id: string): Promise<unknown> }>(type);
      const get = store.get.bind(store);
      store.get = (id) => {
        asked += 1;
        return get(id);
      };
    }
    for (const [hidden, absent] of [
      ['entities/tester', 'entities/nobody'],
      ['collections/tester/vault', 'collections/tester/absent'],
      ['containers/tester/vault/n', 'containers/tester/vault/absent'],
      ['images/tester/vault/n:v1', 'images/tester/absent/n:v1'],
    ]) {
      const counts = [];
      for (const path of [hidden, absent]) {
        asked = 0;
        expect((await world.other.get(`/v1/${path}`)).status).toBe(404);
        counts.push(asked);
      }
      expect([hidden, counts[0]]).toEqual([hidden, counts[1]]);
    }
  });
});
