import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BlobUpload, BlobStore } from '#libs/blobs';
import { type Digest, digestFromHex, DomainError } from '#libs/core';
import { temporaryKey } from '../../libs/blobs/src/layout.js';
import { joinPieces } from '../../libs/blobs/src/s3/publish.js';
import { S3BlobDriver } from '../../libs/blobs/src/s3/s3Driver.js';
import { S3Space } from '../../libs/blobs/src/s3/space.js';
import { headOf, S3Writer } from '../../libs/blobs/src/s3/writer.js';
import { CertificateAuthority } from '../support/certificates.js';
import { skipped } from '../support/needs.js';
import { type PassingRequest, type S3Proxy, startS3Proxy } from '../support/s3-proxy.js';
import { lackingS3, s3Place, s3Settings, startVersitygw, type TestS3 } from '../support/versitygw.js';
import { temporaryFolder } from '../support/temporary.js';

const reason = lackingS3();
const MIB = 1024 * 1024;
const digestOf = (data: Buffer): Digest => digestFromHex(createHash('sha256').update(data).digest('hex'));

async function contentOf(store: BlobStore, digest: Digest): Promise<Buffer> {
  const reader = await store.open(digest);
  const target = Buffer.alloc(reader.size);
  await reader.read(target, 0);
  await reader.close();
  return target;
}

async function sendPart(upload: BlobUpload, number: number, data: Buffer): Promise<void> {
  const part = await upload.beginPart(number);
  const { partSize } = upload.shape;
  const bytes = data.subarray((number - 1) * partSize, number * partSize);
  for (let at = 0; at < bytes.length; at += MIB) await part.write([bytes.subarray(at, at + MIB)]);
  await part.finish();
}

// Its failures are made in between, so it is always one of our own.
describe.skipIf(reason)(`an object store that fails${skipped(reason)}`, () => {
  let server: TestS3;
  let proxy: S3Proxy;
  let url: string;

  beforeAll(async () => {
    server = await startVersitygw();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    proxy = await startS3Proxy(server.endpoint);
    url = server.newUrl();
  });
  afterEach(() => proxy.stop());

  const direct = () => S3BlobDriver.open(s3Place(url), s3Settings(server));
  const through = (attempts = 2) =>
    S3BlobDriver.open(s3Place(url), s3Settings(server, { endpoint: proxy.endpoint, attempts }));
  const space = (): S3Space => new S3Space(s3Place(url), s3Settings(server), undefined);
  /** Keys of everything of this test. */
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of space().list('')) found.push(key);
    return found;
  };

  /** Keys of uploads of several parts that were begun. */
  const unfinished = async (): Promise<string[]> => {
    const { Uploads = [] } = await space().send(new ListMultipartUploadsCommand({ Bucket: server.bucket }));
    return Uploads.flatMap(({ Key = '' }) => space().ownKey(Key) ?? []);
  };

  describe('large pieces', () => {
    const data = randomBytes(20 * MIB + 5);

    it('are sent in parts, and the store joins them', async () => {
      const store = new BlobStore(await direct());
      const upload = store.upload({ id: 'large', size: data.length, partSize: 9 * MIB });
      for (const number of [3, 1, 2]) await sendPart(upload, number, data);
      expect((await keys()).length).toBe(3);
      await upload.commit(digestOf(data));
      expect((await contentOf(store, digestOf(data))).equals(data)).toBe(true);
      expect(await keys()).toEqual([expect.stringContaining('sha256/')]);
    });

    it('are copied in ranges', async () => {
      const begun = new Set<string>();
      const writer = new S3Writer(space(), begun, 'incoming/upload-x/0000000000000000', data.length);
      await writer.write([data]);
      const piece = { ...(await writer.keep()), start: 0 };
      await joinPieces(space(), begun, [piece], 'joined', 6 * MIB);
      const joined = await headOf(space(), 'joined');
      expect(joined?.size).toBe(data.length);
      expect(joined?.etag).toMatch(/-4"$/);
      expect(begun).toEqual(new Set());
    });

    it('are read from one answer, and from wherever it broke off', async () => {
      const store = new BlobStore(await through());
      const writer = await store.write({ limit: data.length });
      await writer.write([data]);
      const { digest } = await writer.commit();
      proxy.seen.length = 0;
      let broken = 0;
      proxy.fate = ({ method }) => (method === 'GET' && (broken += 1) <= 3 ? { after: 3 * MIB } : 'arrives');
      const reader = await store.open(digest);
      const parts: Buffer[] = [];
      for (let at = 0; at < data.length; at += MIB) {
        const target = Buffer.alloc(Math.min(MIB, data.length - at));
        expect(await reader.read(target, at)).toBe(target.length);
        parts.push(target);
      }
      await reader.close();
      expect(Buffer.concat(parts).equals(data)).toBe(true);
      expect(proxy.seen.filter(({ method }) => method === 'GET').length).toBe(4);
    });

    it('are asked for as far as they are wanted', async () => {
      const store = new BlobStore(await through());
      const writer = await store.write({ limit: data.length });
      await writer.write([data]);
      const { digest } = await writer.commit();
      const reader = await store.open(digest);
      reader.expect?.(100, 2 * MIB + 99);
      proxy.seen.length = 0;
      // Smaller pieces than what would be asked for one by one.
      for (let at = 100; at < 2 * MIB + 100; at += 32 * 1024) {
        const target = Buffer.alloc(32 * 1024);
        await reader.read(target, at);
        expect(target.equals(data.subarray(at, at + 32 * 1024))).toBe(true);
      }
      expect(proxy.seen.length).toBe(1);
      await reader.close();
    });
  });

  describe('a store that is busy', () => {
    it('is asked again, and whoever pushes notices nothing', async () => {
      const store = new BlobStore(await through(4));
      const before = new Map<string, number>();
      proxy.fate = ({ method, url: path }) => {
        const count = (before.get(`${method} ${path}`) ?? 0) + 1;
        before.set(`${method} ${path}`, count);
        return count <= 2 ? { status: 503, code: 'SlowDown' } : 'arrives';
      };
      const data = randomBytes(9 * MIB);
      const upload = store.upload({ id: 'busy', size: data.length, partSize: data.length });
      await sendPart(upload, 1, data);
      await upload.commit(digestOf(data));
      expect((await contentOf(store, digestOf(data))).equals(data)).toBe(true);
    });

    it('is unavailable, with a remedy, when that does not help', async () => {
      const store = new BlobStore(await through());
      proxy.fate = () => ({ status: 503, code: 'SlowDown' });
      await expect(store.sizeOf(digestOf(Buffer.from('x')))).rejects.toMatchObject({
        code: 'unavailable',
        reason: 's3_unavailable',
        retryAfter: 30,
        remedy: expect.stringContaining('Try again'),
      });
      await expect(store.ping()).rejects.toMatchObject({ reason: 's3_unavailable' });
    });

    it('is not waited for for ever', async () => {
      const settings = s3Settings(server, { endpoint: proxy.endpoint, attempts: 3, answerTime: 300 });
      const store = new BlobStore(await S3BlobDriver.open(s3Place(url), settings));
      const data = randomBytes(1000);
      const upload = store.upload({ id: 'hangs', size: data.length, partSize: data.length });
      let hanging = 2;
      proxy.fate = () => ((hanging -= 1) >= 0 ? 'hangs' : 'arrives');
      await sendPart(upload, 1, data);
      expect(hanging).toBe(-1);
      await upload.commit(digestOf(data));
      proxy.fate = () => 'hangs';
      await expect(store.sizeOf(digestOf(data))).rejects.toMatchObject({ reason: 's3_unavailable' });
    });

    it('has no space for a part, which can be sent again', async () => {
      const store = new BlobStore(await through());
      const data = randomBytes(100);
      const upload = store.upload({ id: 'full', size: 100, partSize: 100 });
      proxy.fate = ({ method }) =>
        method === 'PUT' ? { status: 507, code: 'XMinioStorageFull' } : 'arrives';
      await expect(sendPart(upload, 1, data)).rejects.toMatchObject({ code: 'out_of_space', status: 507 });
      proxy.fate = () => 'arrives';
      await sendPart(upload, 1, data);
      await upload.commit(digestOf(data));
    });
  });

  it.each([
    [
      'joined parts',
      ({ method, url: path }: PassingRequest) => method === 'POST' && path.includes('uploadId='),
    ],
    ['a copy', ({ method, url: path }: PassingRequest) => method === 'PUT' && path.includes('/sha256/')],
    ['a part', ({ method, url: path }: PassingRequest) => method === 'PUT' && path.includes('partNumber=')],
  ])('takes an answer that was lost for what it was: %s', async (_, isIt) => {
    const store = new BlobStore(await through(3));
    const lost = new Set<string>();
    proxy.fate = (request) => {
      if (!isIt(request) || lost.has(request.url)) return 'arrives';
      lost.add(request.url);
      return 'lost';
    };
    const data = randomBytes(9 * MIB);
    const upload = store.upload({ id: 'lost', size: data.length, partSize: data.length });
    await sendPart(upload, 1, data);
    await upload.commit(digestOf(data));
    expect(lost.size).toBeGreaterThan(0);
    expect((await contentOf(store, digestOf(data))).equals(data)).toBe(true);
  });

  it.each([
    ['that is there', false],
    ['of before', true],
  ])(
    'knows an object that was joined by its parts, when the store says that there is no such upload: one %s',
    async (_, isOld) => {
      const store = new BlobStore(await through(3));
      const data = randomBytes(9 * MIB);
      const upload = store.upload({ id: 'twice', size: data.length, partSize: data.length });
      // Of the same size, at the same place.
      if (isOld) await sendPart(upload, 1, randomBytes(data.length));
      let asked = 0;
      proxy.fate = ({ method, url: path }) => {
        if (method !== 'POST' || !path.includes('uploadId=')) return 'arrives';
        asked += 1;
        return asked === 1 && !isOld ? 'lost' : { status: 404, code: 'NoSuchUpload' };
      };
      const sent = await sendPart(upload, 1, data).then(
        () => 'kept',
        () => 'refused',
      );
      expect(sent).toBe(isOld ? 'refused' : 'kept');
      expect(asked).toBe(isOld ? 1 : 2);
      proxy.fate = () => 'arrives';
      await sendPart(upload, 1, data);
      await upload.commit(digestOf(data));
      expect((await contentOf(store, digestOf(data))).equals(data)).toBe(true);
    },
  );

  it('does not take what it may not see for what is not there', async () => {
    const store = new BlobStore(await through());
    const writer = await store.write({ limit: 10 });
    await writer.write([Buffer.from('x')]);
    const { digest } = await writer.commit();
    // As stores answer whose account of the service was removed: without a body to a HEAD.
    proxy.fate = () => ({ status: 404, code: 'XAdminUserNotFound' });
    await expect(store.sizeOf(digest)).rejects.toMatchObject({ reason: 'bad_s3_credentials' });
    proxy.fate = () => 'arrives';
    expect(await store.sizeOf(digest)).toBe(1);
  });

  it('loses nothing that was acknowledged when it is killed and comes back', async () => {
    const data = randomBytes(18 * MIB);
    const patient = new BlobStore(await direct());
    const upload = patient.upload({ id: 'outage', size: data.length, partSize: 6 * MIB });
    await sendPart(upload, 1, data);
    const second = await upload.beginPart(2);
    await second.write([data.subarray(6 * MIB, 8 * MIB)]);
    await server.kill();
    await second.write([data.subarray(8 * MIB, 12 * MIB)]);
    const finishing = second.finish();
    await server.restart();
    await finishing;
    // The service is killed, too.
    const store = new BlobStore(await direct());
    const again = store.upload({ id: 'outage', size: data.length, partSize: 6 * MIB });
    await sendPart(again, 3, data);
    await again.commit(digestOf(data));
    expect((await contentOf(store, digestOf(data))).equals(data)).toBe(true);
  });

  it('leaves, killed at any step, a blob or an upload that goes on', async () => {
    const data = randomBytes(5 * MIB + 1000);
    const digest = digestOf(data);
    const outcomes = new Set<string>();
    let done = false;
    for (let steps = 0; !done; steps += 1) {
      const id = `kill${steps}`;
      url = server.newUrl();
      const shape = { id, size: data.length, partSize: 5 * MIB };
      proxy.fate = () => 'arrives';
      const store = new BlobStore(await through(1));
      const upload = store.upload(shape);
      for (const number of [1, 2]) await sendPart(upload, number, data);
      const from = proxy.seen.length;
      proxy.fate = () => (proxy.seen.length - from > steps ? 'cut' : 'arrives');
      await upload.commit(digest).catch(() => undefined);
      done = proxy.seen.length - from <= steps;
      // The next process.
      const next = new BlobStore(await direct());
      const stored = (await next.sizeOf(digest)) !== undefined;
      const goesOn = await next.upload(shape).isPresent();
      outcomes.add(`${stored ? 'blob' : 'no blob'}, ${goesOn ? 'upload' : 'no upload'}`);
      if (goesOn) await next.upload(shape).commit(digest);
      expect((await contentOf(next, digest)).equals(data)).toBe(true);
      await next.sweep({ isAlive: async () => false });
      expect(await keys()).toEqual([expect.stringContaining('sha256/')]);
    }
    expect([...outcomes].sort()).toEqual(['blob, no upload', 'blob, upload', 'no blob, upload']);
  });

  it('gives up what killed processes were sending, and nothing of those that live', async () => {
    const data = randomBytes(9 * MIB);
    const shape = { id: 'dead', size: data.length, partSize: data.length };
    const dead = new BlobStore(await direct());
    const cut = await dead.upload(shape).beginPart(1);
    await cut.write([data]);
    const driver = await direct();
    const store = new BlobStore(driver);
    const living = await store.upload({ ...shape, id: 'living' }).beginPart(1);
    await living.write([data]);
    const others = randomBytes(4).toString('hex');
    const stranger = new BlobStore(
      await S3BlobDriver.open(s3Place(`s3://${server.bucket}/${others}`), s3Settings(server)),
    );
    const foreign = await stranger.upload(shape).beginPart(1);
    await foreign.write([data]);
    await driver.tidy(new Date(0));
    expect((await unfinished()).length).toBe(2);
    await driver.tidy(new Date());
    expect(await unfinished()).toEqual([expect.stringContaining('living')]);
    await living.finish();
    await foreign.finish();
    await expect(cut.finish()).rejects.toThrow('NoSuchUpload');
    await store.upload({ ...shape, id: 'living' }).commit(digestOf(data));
    await stranger.upload(shape).cancel();
    expect(await keys()).toEqual([expect.stringContaining('sha256/')]);
    expect(await unfinished()).toEqual([]);
  });

  it('makes no blob of bytes that were changed behind the hash', async () => {
    const data = randomBytes(600);
    const store = new BlobStore(await direct());
    const upload = store.upload({ id: 'late', size: 600, partSize: 300 });
    for (const number of [1, 2]) await sendPart(upload, number, data);
    // A request that was given up, and that arrives when its part has been sent again: another process sends other bytes.
    await sendPart(new BlobStore(await direct()).upload(upload.shape), 2, randomBytes(600));
    await expect(upload.commit(digestOf(data))).rejects.toMatchObject({
      code: 'unprocessable',
      reason: 'wrong_digest',
    });
    expect(await store.sizeOf(digestOf(data))).toBeUndefined();
    await upload.cancel();
    expect(await keys()).toEqual([]);
  });

  it('makes no blob of bytes that change while they are copied', async () => {
    const data = randomBytes(300);
    const store = new BlobStore(await through());
    const upload = store.upload({ id: 'race', size: 300, partSize: 300 });
    await sendPart(upload, 1, data);
    const other = await (await direct()).openTemporary(temporaryKey('upload', 'race'), { create: true });
    const late = other?.begin(0, 300);
    await late?.write([randomBytes(300)]);
    let changing: Promise<void> | undefined;
    const copying = Promise.withResolvers<void>();
    proxy.hold = ({ method, url: path }) => {
      if (method !== 'PUT' || !path.includes('/sha256/')) return undefined;
      changing ??= late?.keep().then(copying.resolve);
      return copying.promise;
    };
    await expect(upload.commit(digestOf(data))).rejects.toMatchObject({ reason: 'wrong_digest' });
    expect(await store.sizeOf(digestOf(data))).toBeUndefined();
    await upload.cancel();
  });

  describe('is refused at the start in a sentence', () => {
    const opening = async (more: object, where = url): Promise<DomainError> => {
      const error: unknown = await S3BlobDriver.open(
        s3Place(where),
        s3Settings(server, { attempts: 2, ...more }),
      ).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (!(error instanceof DomainError)) throw new Error('Expected a sentence', { cause: error });
      expect(inspect(error, { depth: 9 })).not.toContain(server.secretAccessKey);
      return error;
    };

    it('with a wrong key', async () => {
      const error = await opening({ secretAccessKey: { reveal: () => 'wrong' } });
      expect(error).toMatchObject({ code: 'unavailable', reason: 'bad_s3_credentials' });
      expect(error.remedy).toContain('SCS_S3_SECRET_ACCESS_KEY');
    });

    it('with the name of nobody', async () => {
      expect(await opening({ accessKeyId: 'nobody' })).toMatchObject({ reason: 'bad_s3_credentials' });
    });

    it('without a bucket', async () => {
      const error = await opening({}, 's3://not-there/x');
      expect(error).toMatchObject({ reason: 'no_bucket' });
      expect(error.message).toContain(`s3://not-there/x at ${server.endpoint}`);
    });

    it('where nobody listens', async () => {
      await proxy.stop();
      const error = await opening({ endpoint: proxy.endpoint });
      proxy = await startS3Proxy(server.endpoint);
      expect(error).toMatchObject({ reason: 's3_unavailable' });
      expect(error.message).toContain('ECONNREFUSED');
    });

    it('when nothing may be written', async () => {
      proxy.fate = ({ method }) => (method === 'PUT' ? { status: 403, code: 'AccessDenied' } : 'arrives');
      expect(await opening({ endpoint: proxy.endpoint })).toMatchObject({ reason: 's3_denied' });
    });
  });
});

describe.skipIf(reason)(`an object store with TLS${skipped(reason)}`, () => {
  it('is trusted by the authority of the site alone', async () => {
    const authority = await CertificateAuthority.make();
    const folder = await temporaryFolder();
    const { cert, key } = await authority.issue();
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(folder.path, name), text, { mode: 0o600 });
      return join(folder.path, name);
    };
    const caFile = await file('ca.pem', authority.cert);
    const server = await startVersitygw({
      certFile: await file('s.pem', cert),
      keyFile: await file('s.key', key),
    });
    try {
      const place = s3Place(server.newUrl());
      const store = new BlobStore(await S3BlobDriver.open(place, s3Settings(server, { caFile })));
      const writer = await store.write({ limit: 10 });
      await writer.write([Buffer.from('x')]);
      const { digest } = await writer.commit();
      expect((await contentOf(store, digest)).toString()).toBe('x');
      await expect(S3BlobDriver.open(place, s3Settings(server))).rejects.toMatchObject({
        reason: 's3_untrusted',
      });
    } finally {
      await server.stop();
      await folder.remove();
    }
  });
});
