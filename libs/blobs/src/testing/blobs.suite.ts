import { type Digest, digestFromHex, DomainError } from '#libs/core';
import fc from 'fast-check';
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobDriver, BlobReader } from '../driver.js';
import { blobKey, temporaryKey } from '../layout.js';
import { MemoryBlobDriver } from '../memoryDriver.js';
import { BlobStore } from '../store.js';
import type { BlobUpload } from '../upload.js';

/** A place for blobs that the behaviour suite is run on. */
interface BlobPlace {
  readonly driver: BlobDriver;
  /** The same place after the process was started anew. */
  restart(): Promise<BlobDriver>;
  /** Takes the place away with all that is in it. */
  remove(): Promise<void>;
}

export interface BlobSuiteOptions {
  readonly kind: BlobDriver['name'];
  readonly open: () => Promise<BlobPlace>;
  /** Whether what is read stays while it is removed or replaced; otherwise reading fails. */
  readonly keepsWhatIsRead: boolean;
  /** Random scenarios. */
  readonly runs: number;
}

const digestOf = (data: Buffer): Digest => digestFromHex(createHash('sha256').update(data).digest('hex'));
const nobody = { isAlive: async () => false };

async function contentOf(store: BlobStore, digest: Digest): Promise<Buffer> {
  const reader = await store.open(digest);
  try {
    return await readAll(reader);
  } finally {
    await reader.close();
  }
}

async function readAll(reader: BlobReader): Promise<Buffer> {
  const target = Buffer.alloc(reader.size);
  await reader.read(target, 0);
  return target;
}

/** What is read from `position` on, or the reason why nothing is. */
async function textOf(reader: BlobReader, position: number): Promise<string> {
  const target = Buffer.alloc(20);
  try {
    return target.toString('latin1', 0, await reader.read(target, position));
  } catch (error) {
    if (error instanceof DomainError) return error.reason;
    throw error;
  }
}

async function sendPart(upload: BlobUpload, number: number, data: Buffer): Promise<void> {
  const part = await upload.beginPart(number);
  const { partSize } = upload.shape;
  const bytes = data.subarray((number - 1) * partSize, number * partSize);
  for (let at = 0; at < bytes.length; at += 7)
    await part.write([bytes.subarray(at, at + 3), bytes.subarray(at + 3, at + 7)]);
  await part.finish();
}

/** What every driver does, as the store shows it. To be called inside of a `describe`. */
export function blobSuite({ kind, open, keepsWhatIsRead, runs }: BlobSuiteOptions): void {
  let place: BlobPlace;
  let driver: BlobDriver;
  let store: BlobStore;

  beforeEach(async () => {
    place = await open();
    ({ driver } = place);
    store = new BlobStore(driver);
  });

  afterEach(async () => {
    const left = await driver.listTemporaries();
    if (left.length > 0) throw new Error(`The test left ${left.map(({ key }) => key).join(', ')} behind`);
    await place.remove();
  });

  describe('one stream', () => {
    it('shows nothing before commit and everything after', async () => {
      const data = Buffer.from('hello blobs');
      const writer = await store.write({ limit: 100 });
      await writer.write([data.subarray(0, 5), data.subarray(5)]);
      expect(await store.sizeOf(digestOf(data))).toBeUndefined();
      expect(await writer.commit({ size: data.length })).toEqual({
        digest: digestOf(data),
        size: data.length,
      });
      expect(await contentOf(store, digestOf(data))).toEqual(data);
    });

    it.each([
      ['another digest', { digest: digestOf(Buffer.from('other')) }, 'wrong_digest'],
      ['another length', { size: 3 }, 'wrong_length'],
    ])('refuses %s and keeps nothing', async (_, wanted, reason) => {
      const writer = await store.write({ limit: 100 });
      await writer.write([Buffer.from('data')]);
      await expect(writer.commit(wanted)).rejects.toMatchObject({ code: 'unprocessable', reason });
      expect(await store.sizeOf(digestOf(Buffer.from('data')))).toBeUndefined();
    });

    it('refuses what is longer than its limit', async () => {
      const writer = await store.write({ limit: 3 });
      await expect(writer.write([Buffer.from('data')])).rejects.toMatchObject({ code: 'too_large' });
      await expect(writer.write([Buffer.from('d')])).rejects.toMatchObject({ reason: 'upload_closed' });
    });

    it('keeps nothing of a cancelled one', async () => {
      const writer = await store.write({ limit: 100 });
      await writer.write([Buffer.from('data')]);
      await writer.cancel();
      await writer.cancel();
      await expect(writer.commit()).rejects.toMatchObject({ code: 'conflict' });
    });
  });

  describe('an upload in parts', () => {
    const data = randomBytes(1000);
    const shape = { id: 'a1', size: data.length, partSize: 300 };

    it.each([
      ['in order', [1, 2, 3, 4]],
      ['backwards', [4, 3, 2, 1]],
      ['with repetitions', [1, 2, 1, 3, 3, 4, 2]],
    ])('becomes the blob when its parts arrive %s', async (_, order) => {
      const upload = store.upload(shape);
      for (const number of order) await sendPart(upload, number, data);
      expect(await store.sizeOf(digestOf(data))).toBeUndefined();
      await upload.commit(digestOf(data));
      expect(await contentOf(store, digestOf(data))).toEqual(data);
    });

    it('becomes the blob when its parts arrive at once', async () => {
      const upload = store.upload(shape);
      await Promise.all([4, 2, 1, 3].map((number) => sendPart(upload, number, data)));
      await upload.commit(digestOf(data));
      expect(await contentOf(store, digestOf(data))).toEqual(data);
    });

    it('is committed only if the bytes hash to the digest, whatever is sent in whatever order', async () => {
      const scenario = fc.record({
        order: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 10 }),
        wrong: fc.option(fc.nat(9), { nil: undefined }),
        restartAfter: fc.nat(9),
      });
      await fc.assert(
        fc.asyncProperty(scenario, async ({ order, wrong, restartAfter }) => {
          let current = new BlobStore(driver);
          const held = new Map<number, boolean>();
          for (const [index, number] of order.entries()) {
            const bytes = index === wrong ? Buffer.from(data).fill(0) : data;
            await sendPart(current.upload(shape), number, bytes);
            held.set(number, index !== wrong);
            if (index === restartAfter) current = new BlobStore(await place.restart());
          }
          const complete = held.size === 4 && [...held.values()].every(Boolean);
          const outcome = await current
            .upload(shape)
            .commit(digestOf(data))
            .then(
              () => 'committed',
              (error: unknown) => (error instanceof DomainError ? error.code : error),
            );
          expect(outcome).toBe(complete ? 'committed' : 'unprocessable');
          expect((await current.sizeOf(digestOf(data))) !== undefined).toBe(complete);
          await current.remove(digestOf(data));
          await current.upload(shape).cancel();
        }),
        { numRuns: runs },
      );
    });

    it('is refused when a part that was hashed is overwritten with other bytes', async () => {
      const upload = store.upload(shape);
      for (const number of [1, 2, 3, 4]) await sendPart(upload, number, data);
      await sendPart(upload, 2, Buffer.alloc(data.length, 'x'));
      await expect(upload.commit(digestOf(data))).rejects.toMatchObject({ reason: 'wrong_digest' });
      await upload.cancel();
    });

    it('goes on after a restart', async () => {
      await sendPart(store.upload(shape), 1, data);
      await sendPart(store.upload(shape), 2, data);
      const restarted = new BlobStore(await place.restart());
      expect(await restarted.sweep({ isAlive: async (id) => id === 'a1' })).toBe(0);
      const upload = restarted.upload(shape);
      await sendPart(upload, 3, data);
      await sendPart(upload, 4, data);
      await upload.commit(digestOf(data));
      expect(await contentOf(restarted, digestOf(data))).toEqual(data);
    });

    it('lets the second sender of a part take over from one that hangs', async () => {
      const upload = store.upload(shape);
      const hanging = await upload.beginPart(1);
      await hanging.write([Buffer.alloc(100, 'x')]);
      await sendPart(upload, 1, data);
      expect(hanging.signal.aborted).toBe(true);
      await expect(hanging.write([Buffer.from('y')])).rejects.toMatchObject({ reason: 'part_superseded' });
      for (const number of [2, 3, 4]) await sendPart(upload, number, data);
      await upload.commit(digestOf(data));
    });

    it('forgets a part that was cut off and hashes it again when it is repeated', async () => {
      const upload = store.upload(shape);
      await sendPart(upload, 1, data);
      const cut = await upload.beginPart(2);
      await cut.write([Buffer.from('half of something else')]);
      await cut.cancel();
      for (const number of [2, 3, 4]) await sendPart(upload, number, data);
      await upload.commit(digestOf(data));
      expect(await contentOf(store, digestOf(data))).toEqual(data);
    });

    it('is checked again when bytes arrived after it was found right', async () => {
      const data = randomBytes(30);
      const upload = store.upload({ id: 'again', size: 30, partSize: 10 });
      for (const number of [1, 2, 3]) await sendPart(upload, number, data);
      await upload.verify(digestOf(data));
      await sendPart(upload, 2, Buffer.alloc(30));
      await expect(upload.commit(digestOf(data))).rejects.toMatchObject({ reason: 'wrong_digest' });
      await sendPart(upload, 2, data);
      await upload.commit(digestOf(data));
    });

    it('keeps its file open for several steps, and says in each when there is none', async () => {
      const data = randomBytes(30);
      const upload = store.upload({ id: 'open', size: 30, partSize: 30 });
      await upload.keepOpen(async () => {
        expect(await upload.isPresent()).toBe(false);
        await expect(upload.verify(digestOf(data))).rejects.toMatchObject({ reason: 'upload_gone' });
      });
      await sendPart(upload, 1, data);
      await upload.keepOpen(async () => {
        await upload.verify(digestOf(data));
        await upload.commit(digestOf(data));
      });
      expect(await contentOf(store, digestOf(data))).toEqual(data);
    });

    it('refuses a part that is too long or too short and takes it again', async () => {
      const upload = store.upload({ id: 'b2', size: 5, partSize: 5 });
      const long = await upload.beginPart(1);
      await expect(long.write([Buffer.alloc(6)])).rejects.toMatchObject({ reason: 'wrong_length' });
      const short = await upload.beginPart(1);
      await short.write([Buffer.alloc(4)]);
      await expect(short.finish()).rejects.toMatchObject({ reason: 'wrong_length' });
      await sendPart(upload, 1, Buffer.from('right'));
      await upload.commit(digestOf(Buffer.from('right')));
    });

    it('says whether the bytes are right before they are committed', async () => {
      const upload = store.upload({ id: 'b3', size: 5, partSize: 5 });
      await sendPart(upload, 1, Buffer.from('right'));
      await expect(upload.verify(digestOf(Buffer.from('wrong')))).rejects.toMatchObject({
        reason: 'wrong_digest',
      });
      await upload.verify(digestOf(Buffer.from('right')));
      expect([await upload.isPresent(), await store.upload({ ...shape, id: 'absent' }).isPresent()]).toEqual([
        true,
        false,
      ]);
      const seen = await upload.read(async (source) => {
        const target = Buffer.alloc(source.size);
        await source.read(target, 0);
        return target.toString();
      });
      expect(seen).toBe('right');
      await upload.cancel();
    });

    it('refuses a commit with a part missing', async () => {
      const upload = store.upload(shape);
      for (const number of [1, 2, 3]) await sendPart(upload, number, data);
      await expect(upload.commit(digestOf(data))).rejects.toMatchObject({ reason: 'wrong_length' });
      await sendPart(upload, 4, data);
      await upload.commit(digestOf(data));
    });

    it('has ended after commit or cancel', async () => {
      const upload = store.upload(shape);
      await upload.cancel();
      await expect(upload.beginPart(1)).rejects.toMatchObject({ reason: 'upload_closed' });
      await expect(upload.commit(digestOf(data))).rejects.toMatchObject({ reason: 'upload_closed' });
    });

    it('keeps nothing of a part that begins while it is cancelled', async () => {
      const asked = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      const openTemporary = driver.openTemporary.bind(driver);
      Object.assign(driver, {
        openTemporary: async (...about: Parameters<BlobDriver['openTemporary']>) => {
          asked.resolve();
          await ended.promise;
          return openTemporary(...about);
        },
      });
      const upload = store.upload(shape);
      const begun = upload.beginPart(1);
      await asked.promise;
      await upload.cancel();
      ended.resolve();
      await expect(begun).rejects.toMatchObject({ reason: 'upload_closed' });
      expect(await driver.listTemporaries()).toEqual([]);
    });

    it('takes an empty blob', async () => {
      const empty = Buffer.alloc(0);
      const upload = store.upload({ id: 'e', size: 0, partSize: 1 });
      await sendPart(upload, 1, empty);
      await upload.commit(digestOf(empty));
      expect(await store.sizeOf(digestOf(empty))).toBe(0);
    });

    it.each([0, -1, 5, 1.5, Number.NaN])('refuses the part number %d', async (number) => {
      await expect(store.upload(shape).beginPart(number)).rejects.toMatchObject({
        reason: 'invalid_part_number',
      });
    });

    it.each([
      { id: '../x', size: 1, partSize: 1 },
      { id: 'x', size: -1, partSize: 1 },
      { id: 'x', size: 1, partSize: 0 },
      { id: 'x', size: 10_001, partSize: 1 },
      { id: 'x', size: 2 ** 53, partSize: 2 ** 50 },
    ])('refuses the shape $id $size $partSize', (wrong) => {
      expect(() => store.upload(wrong)).toThrow(/^Expected/);
    });

    it('can begin again after its only part was cut off, and leaves nothing until then', async () => {
      const upload = store.upload({ id: 'c', size: 5, partSize: 5 });
      const cut = await upload.beginPart(1);
      await cut.write([Buffer.from('12')]);
      await cut.cancel();
      await upload.rewind();
      expect(await driver.listTemporaries()).toEqual([]);
      await sendPart(upload, 1, Buffer.from('right'));
      await upload.commit(digestOf(Buffer.from('right')));
    });
  });

  it('stores equal content once', async () => {
    const data = Buffer.from('twice');
    for (const id of ['x1', 'x2']) {
      const upload = store.upload({ id, size: data.length, partSize: data.length });
      await sendPart(upload, 1, data);
      await upload.commit(digestOf(data));
    }
    expect(await store.remove(digestOf(data))).toBe(true);
    expect(await store.remove(digestOf(data))).toBe(false);
    await expect(store.open(digestOf(data))).rejects.toMatchObject({
      code: 'not_found',
      reason: 'blob_not_found',
    });
  });

  it('replaces a blob of the same size when it is said to be damaged, and only then', async () => {
    const data = Buffer.from('twice');
    const push = async (id: string, options?: { replace: boolean }) => {
      const upload = store.upload({ id, size: data.length, partSize: data.length });
      await sendPart(upload, 1, data);
      await upload.commit(digestOf(data), options);
    };
    // Stands in for a disk that forgets: other bytes under this name.
    const temporary = temporaryKey('upload', 'rot');
    const file = await driver.openTemporary(temporary, { create: true });
    const piece = file?.begin(0, 5);
    await piece?.write([Buffer.from('tw1ce')]);
    await piece?.keep();
    await file?.close();
    await driver.publish(temporary, blobKey(digestOf(data)));
    const reader = await store.open(digestOf(data));
    await push('p1');
    expect((await contentOf(store, digestOf(data))).toString()).toBe('tw1ce');
    await push('p2', { replace: true });
    expect((await contentOf(store, digestOf(data))).toString()).toBe('twice');
    expect(await textOf(reader, 0)).toBe(keepsWhatIsRead ? 'tw1ce' : 'blob_changed');
    await reader.close();
  });

  it('lists blobs by digest, a part at a time, and nothing that is not committed', async () => {
    expect(await store.list(undefined, 10)).toEqual([]);
    const digests: Digest[] = [];
    for (let number = 0; number < 40; number += 1) {
      const writer = await store.write({ limit: 10 });
      await writer.write([Buffer.alloc(number % 7, number)]);
      digests.push((await writer.commit()).digest);
    }
    const open = await store.write({ limit: 10 });
    const wanted = [...new Set(digests)].sort();
    const listed: Digest[] = [];
    for (
      let page = await store.list(undefined, 3);
      page.length > 0;
      page = await store.list(listed.at(-1), 3)
    ) {
      listed.push(...page.map(({ digest }) => digest));
      for (const { digest, size, storedAt } of page) {
        expect(size).toBe(await store.sizeOf(digest));
        expect(Math.abs(storedAt.getTime() - Date.now())).toBeLessThan(60_000);
      }
    }
    expect(listed).toEqual(wanted);
    await open.cancel();
    // A place goes on also when what was there has been removed.
    await store.remove(wanted[4] as Digest);
    expect((await store.list(wanted[4], 1))[0]?.digest).toBe(wanted[5]);
    expect(await store.list(wanted.at(-1), 1000)).toEqual([]);
    for (const limit of [0, 1001, 1.5])
      await expect(store.list(undefined, limit)).rejects.toThrow(/^Expected/);
  });

  it(`${keepsWhatIsRead ? 'lets a reader go on' : 'fails to read'} when the blob is removed`, async () => {
    const writer = await store.write({ limit: 10 });
    await writer.write([Buffer.from('content')]);
    const { digest } = await writer.commit();
    const reader = await store.open(digest);
    await store.remove(digest);
    expect(await textOf(reader, 3)).toBe(keepsWhatIsRead ? 'tent' : 'blob_changed');
    await reader.close();
  });

  it('sweeps what nobody wants and leaves what is wanted or under way', async () => {
    const writer = await store.write({ limit: 10 });
    const going = store.upload({ id: 'active', size: 8, partSize: 4 });
    await sendPart(going, 1, Buffer.from('active!!'));
    const active = await going.beginPart(2);
    await sendPart(store.upload({ id: 'dead', size: 4, partSize: 4 }), 1, Buffer.from('dead'));
    await sendPart(store.upload({ id: 'wanted', size: 4, partSize: 4 }), 1, Buffer.from('want'));
    expect(await store.sweep({ ...nobody, before: new Date(0) })).toBe(0);
    expect(await store.sweep({ isAlive: async (id) => id === 'wanted' })).toBe(1);
    await writer.cancel();
    await active.cancel();
    expect(await new BlobStore(await place.restart()).sweep(nobody)).toBe(2);
  });

  it('says in words that the disk is full, and keeps nothing', async () => {
    const full = failing(driver, 'ENOSPC');
    const upload = new BlobStore(full).upload({ id: 'f', size: 4, partSize: 4 });
    const part = await upload.beginPart(1);
    await expect(part.write([Buffer.from('full')])).rejects.toMatchObject({
      code: 'out_of_space',
      status: 507,
    });
    await expect(part.finish()).rejects.toMatchObject({ code: 'conflict' });
    await upload.cancel();
  });

  it('names the driver in a failure that nobody foresaw', async () => {
    const writer = await new BlobStore(failing(driver, 'EWEIRD')).write({ limit: 10 });
    await expect(writer.write([Buffer.from('x')])).rejects.toThrow(
      `The blob driver "${kind}" failed: EWEIRD`,
    );
  });

  it('refuses an upload that does not fit before it is sent', async () => {
    const small = Object.assign(Object.create(driver) as BlobDriver, { freeBytes: async () => 100_000_000 });
    await new BlobStore(small).checkSpace(1000);
    await expect(new BlobStore(small).checkSpace(90_000_000)).rejects.toMatchObject({ code: 'out_of_space' });
    const endless = Object.assign(new MemoryBlobDriver(), { freeBytes: () => Promise.resolve(undefined) });
    await expect(new BlobStore(endless).checkSpace(2 ** 50)).rejects.toMatchObject({ code: 'too_large' });
  });

  it.each(['../etc', 'sha256.xyz', `sha256.${'A'.repeat(64)}`, `sha512.${'0'.repeat(64)}`, ''])(
    'never makes a path of the digest %j',
    async (text) => {
      await expect(store.open(text as Digest)).rejects.toMatchObject({ code: 'bad_request' });
      await expect(store.sizeOf(text as Digest)).rejects.toMatchObject({ code: 'bad_request' });
      await expect(store.remove(text as Digest)).rejects.toMatchObject({ code: 'bad_request' });
    },
  );
}

/** The driver, with writes that fail as the system would. */
function failing(driver: BlobDriver, code: string): BlobDriver {
  const openTemporary: BlobDriver['openTemporary'] = async (key, options) => {
    const file = await driver.openTemporary(key, options);
    return (
      file &&
      Object.assign(Object.create(file) as typeof file, {
        begin: (start: number, length: number) => ({
          ...file.begin(start, length),
          write: () => Promise.reject(Object.assign(new Error(code), { code })),
        }),
        close: () => file.close(),
      })
    );
  };
  return {
    name: driver.name,
    sizeOf: (key) => driver.sizeOf(key),
    open: (key) => driver.open(key),
    remove: (key) => driver.remove(key),
    openTemporary,
    publish: (from, to, options) => driver.publish(from, to, options),
    discard: (key) => driver.discard(key),
    listTemporaries: () => driver.listTemporaries(),
    list: (after, limit) => driver.list(after, limit),
    freeBytes: () => driver.freeBytes(),
  };
}
