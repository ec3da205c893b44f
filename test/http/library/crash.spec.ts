import { cp, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EntitiesStore } from '#apps/library/src/tree/entities.store';
import { ContentsStore } from '#apps/library/src/storage/contents.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { UploadsStore } from '#apps/library/src/uploads/uploads.store';
import { BlobStore } from '#libs/blobs';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { requireNothingWrong } from './checked.js';
import { rawRequest } from './transfer.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const PART = 100_000;

/**
 * What kill -9 leaves is what is in the files at that moment. So the state folder is copied at the moment of the crash, and a
 * second server starts on the copy; the first one is none of its business any more.
 */
function uploadIn(url: string): string {
  return /upload\/([0-9a-f]{24})/.exec(url)?.[1] ?? '';
}

describe('after a crash', () => {
  let world: World;
  let authority: TestAuthority;
  let tester: StockClient;
  let bytes: Buffer;
  let crashed: { path: string; remove: () => Promise<void> };
  let after: World | undefined;

  beforeEach(async () => {
    authority = await TestAuthority.make();
    crashed = await temporaryFolder();
    world = await startLibrary({ limits: { partBytes: PART }, authority });
    ({ tester } = world);
    bytes = await testImage({ size: 250_000 });
  });
  afterEach(async () => {
    await requireNothingWrong(world);
    if (after !== undefined) await requireNothingWrong(after);
    await after?.stop();
    after = undefined;
    await world.stop();
    await crashed.remove();
  });

  async function crash(): Promise<void> {
    await rm(crashed.path, { recursive: true });
    await cp(world.app.home, crashed.path, { recursive: true, filter: (path) => !path.endsWith('.lock') });
  }

  async function restart(): Promise<World> {
    after = await startLibrary({ limits: { partBytes: PART }, authority, home: crashed.path });
    return after;
  }

  async function announce(): Promise<{ id: string; url: string }> {
    const container = await tester.place('tester/crash/n');
    const id = (await tester.image(container, hashOf(bytes))).body.data.id as string;
    const started = await tester.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
    return { id, url: started.body.data.uploadURL as string };
  }

  /** An upload of which everything has arrived but the end. */
  async function deliver(kind: 'one piece' | 'parts') {
    const { id, url } = await announce();
    const store = world.app.get(BlobStore);
    if (kind === 'one piece') {
      await tester.put(url, bytes);
      return {
        blob: store.upload({ id: uploadIn(url), size: bytes.length, partSize: bytes.length }),
        complete: (client: StockClient) => client.send('PUT', `/v2/imagefile/${id}/_complete`, {}),
      };
    }
    const path = `/v2/imagefile/${id}/_multipart`;
    const uploadID = (await tester.send('POST', path, { filesize: bytes.length })).body.data
      .uploadID as string;
    const completedParts: { partNumber: number; token: string }[] = [];
    for (const partNumber of [1, 2, 3]) {
      const address = await tester.send('PUT', path, { uploadID, partNumber, sha256sum: '' });
      const part = bytes.subarray((partNumber - 1) * PART, partNumber * PART);
      const sent = await tester.put(address.body.data.presignedURL as string, part);
      completedParts.push({ partNumber, token: sent.headers['etag'] as string });
    }
    return {
      blob: store.upload({ id: uploadID, size: bytes.length, partSize: PART }),
      complete: (client: StockClient) => client.send('PUT', `${path}_complete`, { uploadID, completedParts }),
    };
  }

  /** Nothing is to be seen, and the same push completes and leaves nothing over. */
  async function pushAgain(server: World): Promise<Buffer> {
    const path = `/v1/images/tester/crash/n`;
    expect((await server.anonymous.get(`${path}:${hashOf(bytes)}`)).status).toBe(404);
    expect((await server.tester.get(`${path}:${hashOf(bytes)}`)).body.data.uploaded).toBe(false);
    await server.tester.push('tester/crash/n', bytes);
    const answer = await rawRequest(server.app, '/v1/imagefile/tester/crash/n');
    expect((await server.tester.entity('tester')).body.data.size).toBe(bytes.length);
    expect(await server.temporaries()).toEqual([]);
    return answer.body;
  }

  it('in the middle of the bytes: a part of an upload is no image, and the same push completes', async () => {
    const { url } = await announce();
    const store = world.app.get(BlobStore);
    const part = await store
      .upload({ id: uploadIn(url), size: bytes.length, partSize: bytes.length })
      .beginPart(1);
    await part.write([bytes.subarray(0, 100_000)]);
    await crash();
    await part.cancel();
    expect((await pushAgain(await restart())).equals(bytes)).toBe(true);
  });

  it('between the bytes and the end: the push can be ended where it was', async () => {
    const { id, url } = await announce();
    await tester.put(url, bytes);
    await crash();
    const server = await restart();
    expect((await server.tester.send('PUT', `/v2/imagefile/${id}/_complete`, {})).status).toBe(200);
    expect(
      (await rawRequest(server.app, `/v1/imagefile/tester/crash/n:${hashOf(bytes)}`)).body.equals(bytes),
    ).toBe(true);
    expect(await server.temporaries()).toEqual([]);
  });

  it('between two parts: the upload goes on with the parts that it has', async () => {
    const { id } = await announce();
    const begun = await tester.send('POST', `/v2/imagefile/${id}/_multipart`, { filesize: bytes.length });
    const uploadID = begun.body.data.uploadID as string;
    const sendPart = async (client: StockClient, partNumber: number) => {
      const body = { uploadID, partNumber, sha256sum: '' };
      const address = await client.send('PUT', `/v2/imagefile/${id}/_multipart`, body);
      const sent = await client.put(
        address.body.data.presignedURL as string,
        bytes.subarray((partNumber - 1) * PART, partNumber * PART),
      );
      return { partNumber, token: sent.headers['etag'] as string };
    };
    const first = await sendPart(tester, 1);
    await crash();
    const server = await restart();
    const completedParts = [first, await sendPart(server.tester, 2), await sendPart(server.tester, 3)];
    const ended = await server.tester.send('PUT', `/v2/imagefile/${id}/_multipart_complete`, {
      uploadID,
      completedParts,
    });
    expect(ended.status).toBe(200);
    expect(
      (await rawRequest(server.app, `/v1/imagefile/tester/crash/n:${hashOf(bytes)}`)).body.equals(bytes),
    ).toBe(true);
  });

  /** The next push by a client that knows of nothing. @returns how many parts it was asked for, and how it ended */
  async function pushFromZero({ tester: client }: World, image = bytes) {
    const container = await client.place('tester/crash/n');
    const { id } = (await client.image(container, hashOf(image))).body.data as { id: string };
    const path = `/v2/imagefile/${id}/_multipart`;
    const { uploadID, totalParts } = (await client.send('POST', path, { filesize: image.length })).body
      .data as { uploadID: string; totalParts: number };
    const completedParts = [];
    for (let partNumber = 1; partNumber <= totalParts; partNumber += 1) {
      const address = await client.send('PUT', path, { uploadID, partNumber, sha256sum: '' });
      const part = image.subarray((partNumber - 1) * PART, partNumber * PART);
      const sent = await client.put(address.body.data.presignedURL as string, part);
      completedParts.push({ partNumber, token: sent.headers['etag'] });
    }
    const ended = await client.send('PUT', `${path}_complete`, { uploadID, completedParts });
    return { totalParts, status: ended.status, url: ended.body.data?.containerUrl as unknown };
  }

  describe('a stock client that begins from zero', () => {
    const DONE = { status: 200, url: 'library/tester/crash/n' };
    const pulled = async (server: World) =>
      (await rawRequest(server.app, `/v1/imagefile/tester/crash/n:${hashOf(bytes)}`)).body.equals(bytes);

    it('sends nothing when all parts had arrived before the end was asked for', async () => {
      await deliver('parts');
      await crash();
      const server = await restart();
      expect(await pushFromZero(server)).toEqual({ totalParts: 0, ...DONE });
      expect(await pulled(server)).toBe(true);
      expect(await server.temporaries()).toEqual([]);
      // Somebody else was faster.
      expect(await pushFromZero(server)).toEqual({ totalParts: 0, ...DONE });
    });

    it('sends everything when what had arrived is not what it should be', async () => {
      const { blob } = await deliver('parts');
      const writer = await blob.beginPart(2);
      await writer.write([Buffer.alloc(PART)]);
      await writer.finish();
      await crash();
      const server = await restart();
      expect(await pushFromZero(server)).toEqual({ totalParts: 3, ...DONE });
      expect(await pulled(server)).toBe(true);
      expect(await server.temporaries()).toEqual([]);
    });

    it('sends everything when somebody else had sent it', async () => {
      const container = await tester.place('tester/crash/n');
      await deliver('parts');
      await crash();
      const server = await restart();
      const { admin } = server;
      const { id } = (await admin.image(container, hashOf(bytes))).body.data as { id: string };
      const started = await admin.send('POST', `/v2/imagefile/${id}/_multipart`, { filesize: bytes.length });
      expect(started.body.data.totalParts).toBe(3);
    });
  });

  it.each(['one piece', 'parts'] as const)(
    'before the blob of %s is there: the upload is open again',
    async (kind) => {
      const { blob, complete } = await deliver(kind);
      const commit = blob.commit.bind(blob);
      blob.commit = async (digest) => {
        await crash();
        await commit(digest);
      };
      await complete(tester);
      const server = await restart();
      expect((await server.tester.get(`/v1/images/tester/crash/n:${hashOf(bytes)}`)).body.data.uploaded).toBe(
        false,
      );
      expect((await complete(server.tester)).status).toBe(200);
      const answer = await rawRequest(server.app, `/v1/imagefile/tester/crash/n:${hashOf(bytes)}`);
      expect(answer.body.equals(bytes)).toBe(true);
      expect(await server.temporaries()).toEqual([]);
    },
  );

  it.each(['one piece', 'parts'] as const)(
    'after the blob of %s is there and before the image is: the start finishes it',
    async (kind) => {
      const { blob, complete } = await deliver(kind);
      const commit = blob.commit.bind(blob);
      blob.commit = async (digest) => {
        await commit(digest);
        await crash();
      };
      await complete(tester);
      const server = await restart();
      const image = (await server.tester.get(`/v1/images/tester/crash/n:${hashOf(bytes)}`)).body.data;
      expect(image).toMatchObject({ uploaded: true, size: bytes.length, arch: 'amd64' });
      expect((await server.tester.entity('tester')).body.data.size).toBe(bytes.length);
      expect(await server.temporaries()).toEqual([]);
      expect((await complete(server.tester)).status).toBe(200);
      await server.tester.send('DELETE', `/v1/images/tester/crash/n:${hashOf(bytes)}`);
      expect(await server.blobs()).toEqual([]);
    },
  );

  it('when the image is there: what another attempt at the same push has sent goes at the start', async () => {
    const { id, url } = await announce();
    await tester.put(url, bytes);
    const second = (await tester.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length })).body.data;
    await tester.put(second.uploadURL as string, bytes);
    const store = world.app.get(BlobStore);
    const blob = store.upload({
      id: uploadIn(second.uploadURL as string),
      size: bytes.length,
      partSize: bytes.length,
    });
    const commit = blob.commit.bind(blob);
    blob.commit = async (digest) => {
      await commit(digest);
      await crash();
    };
    await tester.send('PUT', `/v2/imagefile/${id}/_complete`, {});
    const server = await restart();
    const image = (await server.tester.get(`/v1/images/tester/crash/n:${hashOf(bytes)}`)).body.data;
    expect(image.uploaded).toBe(true);
    expect(await server.temporaries()).toEqual([]);
    expect((await server.tester.send('PUT', `/v2/imagefile/${id}/_complete`, {})).status).toBe(200);
    await server.tester.send('DELETE', `/v1/images/tester/crash/n:${hashOf(bytes)}`);
    expect(await server.blobs()).toEqual([]);
  });

  it('in the middle of a deletion: no image is left without bytes, and no bytes without an image', async () => {
    await tester.push('tester/crash/n', bytes);
    const contents = world.app.get(BlobStore);
    const remove = contents.remove.bind(contents);
    contents.remove = async (digest) => {
      await crash();
      return remove(digest);
    };
    await tester.send('DELETE', '/v1/images/tester/crash/n:latest');
    const server = await restart();
    expect((await server.tester.get('/v1/images/tester/crash/n:latest')).status).toBe(404);
    expect(await server.blobs()).toEqual([]);
    expect(await server.app.get(ContentsStore).removing(Date.now())).toEqual([]);
    await server.tester.push('tester/crash/n', bytes);
    expect((await rawRequest(server.app, '/v1/imagefile/tester/crash/n')).body.equals(bytes)).toBe(true);
  });

  it('starts although an upload is there that cannot be settled, and settles the others', async () => {
    const { complete } = await deliver('one piece');
    const store = world.app.get(UploadsStore);
    const [open] = await store.all('open');
    if (open === undefined) throw new Error('no upload');
    // One from before accounts had quota: it has reserved nothing of its own.
    const { accountReserved: _, ...before } = open.value;
    const broken = store.creation('f'.repeat(24), { ...before, size: 2 ** 50, partSize: 2 ** 50 });
    const { hash, size, reserved } = open.value;
    const [entity] = await world.app.get(EntitiesStore).getMany([open.value.entity]);
    if (entity === undefined) throw new Error('no entity');
    await world.app
      .get<Database>(DATABASE)
      .commit([
        broken,
        await world.app.get(ContentsStore).claim(hash, size),
        world.app.get(EntitiesStore).holding(entity, reserved),
      ]);
    await crash();
    const server = await restart();
    expect((await complete(server.tester)).status).toBe(200);
  });

  it('a full disk at the end is a sentence, and the upload can be ended when there is space again', async () => {
    const { blob, complete } = await deliver('parts');
    const commit = blob.commit.bind(blob);
    blob.commit = () => Promise.reject(Object.assign(new Error('disk full'), { code: 'ENOSPC' }));
    const refused = await complete(tester);
    expect([refused.status, refused.body.error.reason]).toEqual([507, 'out_of_space']);
    expect((await tester.get(`/v1/images/tester/crash/n:${hashOf(bytes)}`)).body.data.uploaded).toBe(false);
    blob.commit = commit;
    expect((await complete(tester)).status).toBe(200);
  });
});
