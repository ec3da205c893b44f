import { open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIBRARY_LIMITS } from '#apps/library/src/limits';
import { BlobHealth } from '#apps/library/src/storage/blobHealth.store';
import { ScrubService } from '#apps/library/src/storage/scrub.service';
import { ScrubStore } from '#apps/library/src/storage/scrub.store';
import { SweepService } from '#apps/library/src/storage/sweep.service';
import { BlobStore } from '#libs/blobs';
import type { LibraryCheckPart } from '#libs/contract';
import { ScsConfig } from '#libs/config';
import { type Digest, ManualClock, parseDigest } from '#libs/core';
import { LOG } from '#libs/server';
import { waitForEntries } from '../../support/audit.js';
import { DATABASES } from '../../support/databases.js';
import { checked, feedSettled, requireNothingWrong } from './checked.js';
import { rawRequest } from './transfer.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

const PLACE = 'tester/data/tools';
const WEEK = 7 * 24 * 3600 * 1000;

/** A disk that changes bytes. */
describe.each(DATABASES)('blobs that are damaged, on $name', ({ open: openDatabase }) => {
  let world: World;
  let clock: ManualClock;
  let bytes: Buffer;
  let hash: string;
  beforeEach(async () => {
    clock = new ManualClock(new Date());
    world = await startLibrary({ open: openDatabase, clock, limits: { rehashedPart: 1, rehashWait: 200 } });
    bytes = await testImage();
    hash = hashOf(bytes);
    await world.tester.push(PLACE, bytes);
    await feedSettled(world);
  });
  afterEach(() => world.stop());

  const fileOf = (digest: string): string =>
    join(world.app.home, 'data', 'library', 'blobs', 'sha256', digest.slice(7, 9), digest.slice(7));
  /** One bit of the byte in the middle. */
  async function flip(digest = hash): Promise<void> {
    const file = await open(fileOf(digest), 'r+');
    const byte = Buffer.alloc(1);
    const { size } = await file.stat();
    await file.read(byte, 0, 1, size >> 1);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, size >> 1);
    await file.close();
  }
  const damaged = async (): Promise<readonly { hash: string }[]> => {
    const { status, body } = await world.admin.get('/v1/library/damaged');
    expect(status).toBe(200);
    return body.data.damaged as { hash: string }[];
  };
  const rehash = async () => checked(world, { rehash: true });
  const download = () => rawRequest(world.app, `/v1/imagefile/${PLACE}:latest`);

  it('one flipped bit is found by hashing again, and by nothing else', async () => {
    await flip();
    expect((await checked(world)).problems).toEqual([]);
    const { problems, bytes: sums } = await rehash();
    expect(problems).toEqual([
      {
        kind: 'blob_damaged',
        name: `${PLACE}@${hash}`,
        what: 'wrong_hash',
        counted: bytes.length,
        repaired: false,
      },
    ]);
    expect(sums).toMatchObject({ difference: bytes.length, hashed: 2 * bytes.length });
    // From now on it is known.
    expect((await checked(world)).problems).toEqual(problems);
    expect(await damaged()).toEqual([
      { hash, reason: 'wrong_hash', since: clock.now().toISOString(), images: [`${PLACE}@${hash}`] },
    ]);
    const [entry] = await waitForEntries(world.app, world.admin.token ?? '', 'action=blob.damage', 1);
    expect(entry).toMatchObject({ subject: { kind: 'blob', name: hash }, reason: 'wrong_hash', actor: null });
  });

  it('its bytes are never served: everybody gets a sentence', async () => {
    await flip();
    await rehash();
    const answer = await download();
    expect(answer.status).toBe(410);
    const said = (JSON.parse(answer.body.toString()) as { error: { message: string; reason: string } }).error;
    expect(said.reason).toBe('image_damaged');
    expect(said.message).toContain('are damaged on the disk of the library');
    const range = await rawRequest(world.app, `/v1/imagefile/${PLACE}:latest`, {
      headers: { range: 'bytes=0-9' },
    });
    expect(range.status).toBe(410);
    // What a stock client asks before a pull, and shows the message of (library contract §6.2).
    for (const client of [world.anonymous, world.tester, world.other]) {
      const { status, body } = await client.get(`/v1/images/${PLACE}:latest?arch=amd64`);
      expect([status, body.error.message]).toEqual([410, said.message]);
    }
    // By its hash, too; but whoever could push it is told that it is not uploaded.
    expect((await world.other.get(`/v1/images/${PLACE}:${hash}`)).status).toBe(410);
    expect((await world.tester.get(`/v1/images/${PLACE}:${hash}`)).body.data.uploaded).toBe(false);
    const path = `/v1/imagefile/${PLACE}:${hash}`;
    expect((await world.tester.get(path)).status).toBe(410);
    expect((await world.app.request('/readyz')).status).toBe(200);
  });

  it.each(['one piece', 'parts'] as const)('the next push of it in %s replaces the bytes', async (kind) => {
    await flip();
    await rehash();
    if (kind === 'one piece') await world.tester.push(PLACE, bytes);
    else await pushParts();
    expect((await readFile(fileOf(hash))).equals(bytes)).toBe(true);
    expect((await download()).body.equals(bytes)).toBe(true);
    expect(await damaged()).toEqual([]);
    await waitForEntries(world.app, world.admin.token ?? '', 'action=blob.mend', 1);
    expect((await world.tester.entity('tester')).body.data.size).toBe(bytes.length);
    await requireNothingWrong(world);
  });

  async function pushParts(): Promise<void> {
    const { id } = (await world.tester.get(`/v1/images/${PLACE}:${hash}`)).body.data as { id: string };
    const path = `/v2/imagefile/${id}/_multipart`;
    const started = await world.tester.send('POST', path, { filesize: bytes.length });
    const uploadID = started.body.data.uploadID as string;
    const address = await world.tester.send('PUT', path, { uploadID, partNumber: 1 });
    const sent = await world.tester.put(address.body.data.presignedURL as string, bytes);
    const completedParts = [{ partNumber: 1, token: sent.headers['etag'] }];
    const ended = await world.tester.send('PUT', `${path}_complete`, { uploadID, completedParts });
    expect(ended.status).toBe(200);
  }

  it('a push of the same content by somebody else brings the bytes for all', async () => {
    await flip();
    await rehash();
    await world.other.push('other/data/tools', bytes);
    expect((await download()).body.equals(bytes)).toBe(true);
    await requireNothingWrong(world);
  });

  it('can be deleted, and pushed anew as if it had never been', async () => {
    await flip();
    await rehash();
    const gone = await world.tester.send('DELETE', `/v1/images/${PLACE}:latest?arch=amd64`);
    expect(gone.status).toBe(200);
    expect(await world.blobs()).toEqual([]);
    expect(await damaged()).toEqual([]);
    await world.tester.push(PLACE, bytes);
    expect((await download()).body.equals(bytes)).toBe(true);
    await requireNothingWrong(world);
  });

  it('what a disk gives back after all is good again', async () => {
    await flip();
    await rehash();
    await flip();
    expect((await download()).status).toBe(410);
    await requireNothingWrong(world);
    expect((await download()).body.equals(bytes)).toBe(true);
  });

  it('a blob that takes longer than a request is hashed on, and each part says how far it has come', async () => {
    await flip();
    const store = world.app.get(BlobStore);
    const real = store.open.bind(store);
    const goOn = Promise.withResolvers<undefined>();
    store.open = async (digest) => {
      const reader = await real(digest);
      return {
        size: reader.size,
        close: () => reader.close(),
        read: async (target, at) => {
          if (at > 0) await goOn.promise;
          return reader.read(target.subarray(0, 1000), at);
        },
      };
    };
    const ask = async (cursor?: string) => {
      const { body } = await world.admin.send('POST', '/v1/library/check', { rehash: true, cursor });
      return body as { data: LibraryCheckPart; page?: { next: string } };
    };
    let part = await ask();
    while (part.data.hashing === undefined) part = await ask(part.page?.next);
    const progress = { hash, done: 1000, size: bytes.length };
    expect(part.data.hashing).toEqual(progress);
    part = await ask(part.page?.next);
    expect(part.data.hashing).toEqual(progress);
    goOn.resolve(undefined);
    store.open = real;
    let found = 0;
    for (let cursor = part.page?.next; cursor !== undefined; cursor = part.page?.next) {
      part = await ask(cursor);
      found += part.data.problems.length;
    }
    expect(found).toBe(1);
    expect(await damaged()).toMatchObject([{ hash }]);
  });

  it('a disk that cannot read a blob is damage; a store that does not answer is none', async () => {
    const store = world.app.get(BlobStore);
    const real = store.open.bind(store);
    let open = 0;
    const failing = (code: string) => async (digest: Parameters<typeof real>[0]) => {
      const reader = await real(digest);
      open += 1;
      return {
        size: bytes.length,
        read: () => Promise.reject(Object.assign(new Error('disk'), { code })),
        close: async () => {
          open -= 1;
          await reader.close();
        },
      };
    };
    store.open = failing('ESHUTDOWN');
    const health = world.app.get(BlobHealth);
    await expect(health.examine(hash)).rejects.toThrow('disk');
    expect([await damaged(), open]).toEqual([[], 0]);
    store.open = failing('EIO');
    expect(await health.examine(hash)).toMatchObject({ state: 'damaged', reason: 'unreadable' });
    expect(open).toBe(0);
    store.open = real;
    expect(await damaged()).toMatchObject([{ hash, reason: 'unreadable' }]);
  });

  it('a blob that is replaced while its old bytes are being read is not called damaged', async () => {
    await flip();
    await rehash();
    const store = world.app.get(BlobStore);
    const real = store.open.bind(store);
    let isReplaced = false;
    store.open = async (digest) => {
      const reader = await real(digest);
      if (isReplaced) return reader;
      isReplaced = true;
      store.open = real;
      // The old bytes are open; now they are replaced, and the mark is taken away.
      await world.tester.push(PLACE, bytes);
      return reader;
    };
    await world.app.get(BlobHealth).examine(hash);
    expect(await damaged()).toEqual([]);
    expect((await download()).body.equals(bytes)).toBe(true);
  });

  /**
   * A push by somebody who has not got the content yet, and may not know who has: all bytes are sent. Its claim becomes that of the
   * entity when it is completed, so nothing of the content's document changes then.
   */
  async function begunElsewhere(): Promise<{ digest: Digest; complete: () => Promise<number> }> {
    const entity = (await world.tester.entity('tester')).body.data.id as string;
    await world.tester.collection(entity, 'secret', { private: true });
    const file = await testImage();
    await world.tester.push('tester/secret/tools', file);
    const container = await world.other.place('other/data/tools');
    const { id, uploaded } = (await world.other.image(container, hashOf(file))).body.data as {
      id: string;
      uploaded: boolean;
    };
    expect(uploaded).toBe(false);
    const started = await world.other.send('POST', `/v2/imagefile/${id}`, { filesize: file.length });
    await world.other.put(started.body.data.uploadURL as string, file);
    const complete = async () => (await world.other.send('PUT', `/v2/imagefile/${id}/_complete`, {})).status;
    return { digest: parseDigest(hashOf(file)), complete };
  }

  it('nor when whoever replaces it had claimed it long before, and somebody else has found it meanwhile', async () => {
    const { digest: own, complete } = await begunElsewhere();
    await flip(own);
    const health = world.app.get(BlobHealth);
    const store = world.app.get(BlobStore);
    const real = store.open.bind(store);
    let opened = 0;
    store.open = async (digest) => {
      const reader = await real(digest);
      opened += 1;
      if (opened !== 2) return reader;
      store.open = real;
      expect((await health.examine(own)).state).toBe('damaged');
      expect(await complete()).toBe(200);
      return reader;
    };
    expect((await health.examine(own)).state).toBe('good');
    expect(await damaged()).toEqual([]);
    await requireNothingWrong(world);
  });

  it('nor when it was cut, which any push puts right without asking', async () => {
    const { digest: own, complete } = await begunElsewhere();
    await truncate(fileOf(own), 1000);
    const store = world.app.get(BlobStore);
    const real = store.open.bind(store);
    let opened = 0;
    store.open = async (digest) => {
      const reader = await real(digest);
      opened += 1;
      if (opened !== 2) return reader;
      store.open = real;
      expect(await complete()).toBe(200);
      return reader;
    };
    expect((await world.app.get(BlobHealth).examine(own)).state).toBe('good');
    expect(await damaged()).toEqual([]);
    await requireNothingWrong(world);
  });

  it('a blob that is deleted and pushed again while it is being read is not called damaged', async () => {
    await flip();
    const store = world.app.get(BlobStore);
    const real = store.open.bind(store);
    let opened = 0;
    store.open = async (digest) => {
      const reader = await real(digest);
      opened += 1;
      // At the second look, by which the first one is confirmed.
      if (opened !== 2) return reader;
      store.open = real;
      await world.tester.send('DELETE', `/v1/images/${PLACE}:latest?arch=amd64`);
      await world.tester.push(PLACE, bytes);
      return reader;
    };
    expect((await world.app.get(BlobHealth).examine(hash)).state).toBe('good');
    expect(await damaged()).toEqual([]);
    await requireNothingWrong(world);
  });

  it('a crash between the good bytes and their record leaves the good bytes, and the start says so', async () => {
    await flip();
    await rehash();
    const health = world.app.get(BlobHealth);
    const real = health.mending.bind(health);
    health.mending = () => Promise.reject(new Error('killed'));
    await expect(world.tester.push(PLACE, bytes)).rejects.toThrow('500');
    health.mending = real;
    expect((await readFile(fileOf(hash))).equals(bytes)).toBe(true);
    expect(await damaged()).toHaveLength(1);
    await world.app.get(SweepService).recover();
    expect(await damaged()).toEqual([]);
    expect((await download()).body.equals(bytes)).toBe(true);
    await requireNothingWrong(world);
  });

  it('an upload whose bytes were lost does not pass for the damaged ones that are there', async () => {
    await flip();
    await rehash();
    const { id } = (await world.tester.get(`/v1/images/${PLACE}:${hash}`)).body.data as { id: string };
    const started = await world.tester.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
    const url = started.body.data.uploadURL as string;
    await world.tester.put(url, bytes);
    const upload = /upload\/([0-9a-f]{24})/.exec(url)?.[1] ?? '';
    const store = world.app.get(BlobStore);
    await store.upload({ id: upload, size: bytes.length, partSize: bytes.length }).cancel();
    const ended = await world.tester.send('PUT', `/v2/imagefile/${id}/_complete`, {});
    expect([ended.status, ended.body.error.reason]).toEqual([410, 'upload_gone']);
    expect((await download()).status).toBe(410);
    await world.tester.push(PLACE, bytes);
    expect((await download()).body.equals(bytes)).toBe(true);
  });

  describe('in the background', () => {
    const scrub = () => world.app.get(ScrubService);
    const state = async () => (await world.app.get(ScrubStore).get())?.value;

    // The tokens of the test are no longer good then.
    const known = async () => (await world.app.get(BlobHealth).list(10)).damages.map(({ id }) => id);

    it('are found a week after the last round began, and not before', async () => {
      await scrub().round();
      await flip();
      clock.advance(WEEK - 1000);
      expect(await scrub().round()).toBe(1000);
      expect(await known()).toEqual([]);
      clock.advance(1000);
      await scrub().round();
      expect(await known()).toEqual([hash]);
      expect(await state()).toMatchObject({ blobs: 1, bytes: bytes.length, endedAt: clock.now().getTime() });
      expect(await scrub().round()).toBe(WEEK);
    });

    it('are looked for by one process at a time, and by another one when it has gone', async () => {
      await scrub().round();
      clock.advance(WEEK);
      const scrubs = world.app.get(ScrubStore);
      const now = clock.now().getTime();
      const other = { startedAt: now, blobs: 0, bytes: 0, by: 'another process', until: now + 60_000 };
      await scrubs.save(await scrubs.get(), other);
      await flip();
      expect(await scrub().round()).toBe(60_000);
      expect([await known(), await state()]).toEqual([[], other]);
      clock.advance(60_000);
      await scrub().round();
      expect(await known()).toEqual([hash]);
      expect(await state()).toMatchObject({ startedAt: now, blobs: 1, endedAt: now + 60_000 });
    });

    it('go on where they were when the process was stopped, each blob once in a round', async () => {
      const pushed = [hash];
      for (let n = 0; n < 4; n += 1) {
        const file = await testImage({ size: 500 });
        await world.tester.push(`tester/more/n${n}`, file);
        pushed.push(hashOf(file));
      }
      await scrub().round();
      clock.advance(WEEK);
      const health = world.app.get(BlobHealth);
      const examine = health.examine.bind(health);
      const seen: string[] = [];
      health.examine = async (digest, options) => {
        seen.push(digest);
        // Every look takes its time: how far it has come is written down.
        clock.advance(11_000);
        if (seen.length === 3) await scrub().beforeApplicationShutdown();
        options?.signal?.throwIfAborted();
        return examine(digest, options);
      };
      await scrub().round();
      expect(seen).toEqual(pushed.toSorted().slice(0, 3));
      expect((await state())?.endedAt).toBeUndefined();
      const { app } = world;
      const next = new ScrubService(
        clock,
        app.get(LOG),
        app.get(LIBRARY_LIMITS),
        app.get(ScsConfig),
        app.get(BlobStore),
        health,
        app.get(ScrubStore),
      );
      await next.round();
      expect(seen.slice(3)).toEqual(pushed.toSorted().slice(2));
      expect(await state()).toMatchObject({ blobs: 5, endedAt: expect.any(Number) });
    });
  });
});
