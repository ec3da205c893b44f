import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlobStore } from '#libs/blobs';
import { cutDownload, cutUpload, openRequest, randomCut, rawRequest } from './transfer.js';
import { requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const PART = 100_000;

describe('uploads and downloads', () => {
  let world: World;
  let tester: StockClient;

  beforeAll(async () => {
    world = await startLibrary({ limits: { partBytes: PART } });
    ({ tester } = world);
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  const announce = async (bytes: Buffer, path = 'tester/up/load') => {
    const container = await tester.place(path);
    return (await tester.image(container, hashOf(bytes))).body.data.id as string;
  };
  const start = (id: string, size: number, client = tester) =>
    client.send('POST', `/v2/imagefile/${id}`, { filesize: size, sha256sum: '', md5sum: '' });
  const complete = (id: string, client = tester) => client.send('PUT', `/v2/imagefile/${id}/_complete`, {});
  const record = async (bytes: Buffer, path = 'tester/up/load') =>
    (await tester.get(`/v1/images/${path}:${hashOf(bytes)}`)).body.data;

  describe('in one piece', () => {
    it('33, 36, 39: announce, PUT without a token, complete; then the image is there', async () => {
      const bytes = await testImage({ signedBy: 'cd'.repeat(20), arch: 'arm64' });
      const id = await announce(bytes);
      const started = await start(id, bytes.length);
      expect(started.status).toBe(200);
      const url = started.body.data.uploadURL as string;
      expect(url).toMatch(new RegExp(`^${world.app.url}/`));
      expect((await tester.put(url, bytes)).status).toBe(200);
      expect((await record(bytes)).uploaded).toBe(false);
      const ended = await complete(id);
      expect(ended.status).toBe(200);
      expect(ended.body.data.containerUrl).toBe('library/tester/up/load');
      expect(ended.body.data.quota.quotaTotal).toBe(0);
      expect(await record(bytes)).toMatchObject({
        uploaded: true,
        size: bytes.length,
        arch: 'arm64',
        signed: true,
        encrypted: false,
        fingerprints: ['cd'.repeat(20)],
      });
      expect(await world.temporaries()).toEqual([]);
      expect((await complete(id)).status).toBe(200);
    });

    it('reads from the file that it is encrypted', async () => {
      const bytes = await testImage({ encrypted: true });
      await tester.push('tester/up/load', bytes);
      expect(await record(bytes)).toMatchObject({ encrypted: true, signed: false });
    });

    it('35: strangers 403, anonymous 401, unknown ids 404', async () => {
      const id = await announce(Buffer.from('x'));
      expect((await start(id, 5, world.other)).status).toBe(403);
      expect((await start(id, 5, world.anonymous)).status).toBe(401);
      expect((await start('0123456789abcdef01234567', 5)).status).toBe(404);
      expect((await complete(id, world.other)).status).toBe(403);
      expect((await complete(id, world.anonymous)).status).toBe(401);
    });

    it('37: refuses other bytes and another length, keeps nothing, and takes the right bytes then', async () => {
      const bytes = await testImage();
      const id = await announce(bytes);
      const url = (await start(id, bytes.length)).body.data.uploadURL as string;
      const wrong = await tester.put(url, Buffer.alloc(bytes.length));
      expect([wrong.status, wrong.body.error.reason]).toEqual([422, 'wrong_digest']);
      expect((await tester.put(url, bytes.subarray(1))).status).toBe(422);
      expect((await tester.put(url, Buffer.concat([bytes, bytes]))).status).toBe(422);
      expect(await world.temporaries()).toEqual([]);
      expect((await complete(id)).status).toBe(409);
      expect((await tester.put(url, bytes)).status).toBe(200);
      expect((await complete(id)).status).toBe(200);
    });

    it('38: an address works once, and not after its time', async () => {
      const bytes = await testImage();
      const id = await announce(bytes);
      const url = (await start(id, bytes.length)).body.data.uploadURL as string;
      await tester.put(url, bytes);
      const again = await tester.put(url, bytes);
      expect([again.status, again.body.error.reason]).toEqual([409, 'already_received']);
      const late = new URL(url);
      late.searchParams.set('expires', '1000');
      expect((await tester.put(late.href, bytes)).status).toBe(403);
      expect((await complete(id)).status).toBe(200);
    });

    it.each([
      ['no signature', (url: URL) => url.searchParams.delete('signature')],
      ['another signature', (url: URL) => url.searchParams.set('signature', 'A'.repeat(43))],
      ['another part', (url: URL) => (url.pathname = url.pathname.replace(/1$/, '2'))],
      ['another upload', (url: URL) => (url.pathname = url.pathname.replace(/[0-9a-f]{24}/, 'a'.repeat(24)))],
      ['a longer time', (url: URL) => url.searchParams.set('expires', '99999999999')],
    ])('refuses an address with %s, whatever token comes along', async (_, change) => {
      const bytes = await testImage();
      const url = new URL((await start(await announce(bytes), bytes.length)).body.data.uploadURL as string);
      change(url);
      const answer = await world.app.request(url.pathname + url.search, {
        method: 'PUT',
        token: tester.token ?? '',
        body: bytes,
      });
      expect([answer.status, answer.body.error.reason]).toEqual([403, 'bad_signature']);
    });

    it('40: refuses to complete what was not sent', async () => {
      const answer = await complete(await announce(await testImage()));
      expect([answer.status, answer.body.error.reason]).toEqual([409, 'nothing_uploaded']);
    });

    it('refuses an announced hash that is not the image’s, and impossible sizes', async () => {
      const id = await announce(Buffer.from('y'));
      const wrong = await tester.send('POST', `/v2/imagefile/${id}`, {
        filesize: 5,
        sha256sum: '0'.repeat(64),
      });
      expect(wrong.status).toBe(422);
      for (const size of [0, -1, 1.5, '5', 2 ** 53]) {
        const answer = await tester.send('POST', `/v2/imagefile/${id}`, { filesize: size });
        expect([size, answer.status]).toEqual([size, 400]);
      }
      expect((await start(id, 2 ** 50)).status).toBe(413);
    });

    it('two pushes of the same file at once both succeed', async () => {
      const bytes = await testImage({ size: 300_000 });
      const pushes = await Promise.all([1, 2, 3].map(() => tester.push('tester/up/twice', bytes)));
      expect(new Set(pushes.map(({ id }) => id)).size).toBe(1);
      expect(await world.temporaries()).toEqual([]);
    });
  });

  describe('through the first protocol', () => {
    const raw = (id: string, bytes: Buffer) =>
      rawRequest(world.app, `/v1/imagefile/${id}`, {
        method: 'POST',
        headers: { authorization: `BEARER ${tester.token}` },
        body: bytes,
      });

    it('51: takes the bytes in one request without Content-Type, and refuses others', async () => {
      const bytes = await testImage();
      const id = await announce(bytes);
      expect((await raw(id, Buffer.alloc(bytes.length))).status).toBe(422);
      expect(await world.temporaries()).toEqual([]);
      expect((await raw(id, bytes)).status).toBe(200);
      expect((await record(bytes)).uploaded).toBe(true);
      expect(await world.temporaries()).toEqual([]);
    });
  });

  describe('in parts', () => {
    const size = 250_000;
    const begin = async (bytes: Buffer, more: object = {}) => {
      const id = await announce(bytes);
      const answer = await tester.send('POST', `/v2/imagefile/${id}/_multipart`, {
        filesize: bytes.length,
        ...more,
      });
      return { id, answer, uploadID: answer.body.data?.uploadID as string };
    };
    const address = (id: string, uploadID: string, partNumber: number) =>
      tester.send('PUT', `/v2/imagefile/${id}/_multipart`, {
        partSize: PART,
        uploadID,
        partNumber,
        sha256sum: '',
      });
    const sendPart = async (id: string, uploadID: string, number: number, bytes: Buffer) => {
      const url = new URL((await address(id, uploadID, number)).body.data.presignedURL as string);
      const body = bytes.subarray((number - 1) * PART, number * PART);
      return rawRequest(world.app, url.pathname + url.search, { method: 'PUT', body });
    };
    const finish = (id: string, uploadID: string, tokens: readonly string[]) =>
      tester.send('PUT', `/v2/imagefile/${id}/_multipart_complete`, {
        uploadID,
        completedParts: tokens.map((token, index) => ({ partNumber: index + 1, token })),
      });

    it('42, 45, 47, 48: parts in any order, one of them twice, tokens with quotes', async () => {
      const bytes = await testImage({ size });
      const { id, answer, uploadID } = await begin(bytes);
      expect(answer.body.data).toMatchObject({
        partSize: PART,
        totalParts: 3,
        options: { s3compliant: 'false' },
      });
      const etags: string[] = [];
      for (const number of [2, 1, 1, 3]) {
        const sent = await sendPart(id, uploadID, number, bytes);
        expect([sent.status, sent.headers.etag]).toEqual([200, expect.stringMatching(/^".+"$/)]);
        etags[number - 1] = sent.headers.etag ?? '';
      }
      const ended = await finish(id, uploadID, etags);
      expect([ended.status, ended.body.data.containerUrl]).toEqual([200, 'library/tester/up/load']);
      expect((await record(bytes)).uploaded).toBe(true);
      expect((await finish(id, uploadID, etags)).status).toBe(200);
      expect(await world.temporaries()).toEqual([]);
    });

    it('43: refuses a size of nothing', async () => {
      const id = await announce(Buffer.from('z'));
      expect((await tester.send('POST', `/v2/imagefile/${id}/_multipart`, { filesize: 0 })).status).toBe(400);
    });

    it('46: part numbers outside, unknown and closed uploads are errors, and never 404', async () => {
      const bytes = await testImage({ size });
      const { id, uploadID } = await begin(bytes);
      for (const number of [-1, 0, 4]) expect((await address(id, uploadID, number)).status).toBe(400);
      expect((await address(id, '0123456789abcdef01234567', 1)).status).toBe(409);
      await tester.send('PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID });
      expect((await address(id, uploadID, 1)).status).toBe(409);
      expect((await finish(id, uploadID, ['', '', ''])).status).toBe(409);
    });

    it('49: refuses to complete with a part missing, a replaced part or another hash; the image stays unfinished', async () => {
      const bytes = await testImage({ size });
      const { id, uploadID } = await begin(bytes);
      const etags: string[] = [];
      for (const number of [1, 2])
        etags.push((await sendPart(id, uploadID, number, bytes)).headers.etag ?? '');
      expect((await finish(id, uploadID, etags)).body.error.reason).toBe('part_missing');
      etags.push((await sendPart(id, uploadID, 3, Buffer.alloc(bytes.length))).headers.etag ?? '');
      await sendPart(id, uploadID, 1, bytes);
      expect((await finish(id, uploadID, etags)).body.error.reason).toBe('part_replaced');
      const wrong = await finish(id, uploadID, ['', '', '']);
      expect([wrong.status, wrong.body.error.reason]).toEqual([422, 'wrong_digest']);
      expect((await record(bytes)).uploaded).toBe(false);
      expect(await world.temporaries()).toEqual([]);
    });

    it('50: nothing stays of an aborted upload, and the next push works', async () => {
      const bytes = await testImage({ size });
      const { id, uploadID } = await begin(bytes);
      await sendPart(id, uploadID, 1, bytes);
      expect(await world.temporaries()).toHaveLength(1);
      const abort = () => tester.send('PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID });
      expect([(await abort()).status, (await abort()).status]).toEqual([200, 200]);
      expect(await world.temporaries()).toEqual([]);
      await tester.push('tester/up/load', bytes);
      expect((await record(bytes)).uploaded).toBe(true);
    });

    it('goes on with an interrupted upload when it is asked to, and begins anew when it is not', async () => {
      const bytes = await testImage({ size });
      const { id, uploadID } = await begin(bytes);
      const first = (await sendPart(id, uploadID, 1, bytes)).headers.etag ?? '';
      const resumed = await begin(bytes, { resume: true });
      expect(resumed.uploadID).toBe(uploadID);
      expect(JSON.parse(resumed.answer.body.data.options.received as string)).toEqual({
        1: first.slice(1, -1),
      });
      const anew = await begin(bytes);
      expect(anew.uploadID).not.toBe(uploadID);
      expect(anew.answer.body.data.options.received).toBeUndefined();
      await tester.send('PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID });
    });

    it('goes on with the upload that is named, also while a connection of it seems to be alive', async () => {
      const bytes = await testImage({ size });
      const { id, uploadID } = await begin(bytes);
      const first = (await sendPart(id, uploadID, 1, bytes)).headers.etag ?? '';
      const { pathname, search } = new URL((await address(id, uploadID, 2)).body.data.presignedURL as string);
      const hanging = openRequest(world.app, pathname + search, {
        method: 'PUT',
        headers: { 'content-length': String(PART) },
      });
      const gone = once(hanging, 'close');
      hanging.write(bytes.subarray(PART, PART + 1000));
      const blobs = world.app.get(BlobStore);
      await expect.poll(() => blobs.isActive(uploadID)).toBe(true);
      // Who does not know its name may be another push of the same file.
      const other = await begin(bytes, { resume: true });
      expect(other.uploadID).not.toBe(uploadID);
      const named = await begin(bytes, { resume: true, uploadID });
      expect(named.uploadID).toBe(uploadID);
      expect(JSON.parse(named.answer.body.data.options.received as string)).toEqual({
        1: first.slice(1, -1),
      });
      const etags = [first];
      for (const number of [2, 3])
        etags.push((await sendPart(id, uploadID, number, bytes)).headers.etag ?? '');
      await gone;
      expect((await finish(id, uploadID, etags)).status).toBe(200);
      expect((await record(bytes)).uploaded).toBe(true);
    });

    it('gives nobody else’s upload to whoever can name it', async () => {
      await world.admin.entity('shared');
      const writer = async (username: string) =>
        world.client(await world.authority.token({ username, organisations: { shared: 'writer' } }));
      const [one, two] = [await writer('one'), await writer('two')];
      const bytes = await testImage({ size });
      const container = await one.place('shared/up/load');
      const id = (await one.image(container, hashOf(bytes))).body.data.id as string;
      const start = async (client: StockClient, more: object) =>
        (await client.send('POST', `/v2/imagefile/${id}/_multipart`, { filesize: bytes.length, ...more }))
          .body.data.uploadID as string;
      const uploadID = await start(one, {});
      expect(await start(two, { resume: true, uploadID })).not.toBe(uploadID);
      // Nor one of another length, or one that has ended.
      const shorter = await one.send('POST', `/v2/imagefile/${id}/_multipart`, {
        filesize: bytes.length - 1,
        resume: true,
        uploadID,
      });
      expect(shorter.body.data.uploadID).not.toBe(uploadID);
      await one.send('PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID });
      expect(await start(one, { resume: true, uploadID })).not.toBe(uploadID);
    });
  });

  describe('quota', () => {
    it('34: is refused before anything is sent, counts what is under way, and is given back', async () => {
      const bytes = await testImage({ size: 50_000 });
      await world.admin.entity('limited', { quota: 120_000 });
      const scoped = world.client(
        await world.authority.token({ username: 'member', organisations: { limited: 'owner' } }),
      );
      const container = await scoped.place('limited/c/n');
      const make = async (data: Buffer) =>
        (await scoped.image(container, hashOf(data))).body.data.id as string;
      const first = await make(bytes);
      expect((await start(first, bytes.length, scoped)).status).toBe(200);
      const other = await testImage({ size: 50_000 });
      const refused = await start(await make(other), other.length, scoped);
      expect([refused.status, refused.body.error.reason]).toEqual([507, 'over_quota']);
      expect(refused.body.error.message).toContain('limited');
      // The same push again takes the place of the one that was interrupted.
      const url = (await start(first, bytes.length, scoped)).body.data.uploadURL as string;
      await scoped.put(url, bytes);
      const ended = await complete(first, scoped);
      expect(ended.body.data.quota).toEqual({ quotaTotal: 120_000, quotaUsage: bytes.length });
      // The same content a second time costs nothing.
      await scoped.push('limited/c/copy', bytes);
      expect((await scoped.get('/v1/entities/limited')).body.data.size).toBe(bytes.length);
      await scoped.send('DELETE', `/v1/images/limited/c/n:${hashOf(bytes)}`);
      await scoped.send('DELETE', `/v1/images/limited/c/copy:${hashOf(bytes)}`);
      expect((await start(await make(other), other.length, scoped)).status).toBe(200);
      expect((await world.anonymous.get('/v1/entities/limited')).body.data).toMatchObject({
        size: 0,
        quota: 0,
      });
    });
  });

  describe('downloads', () => {
    it('66, 67, 68: whole with its length, or exactly the range, without a token', async () => {
      const bytes = await testImage({ size: 3_000_000 });
      await tester.push('tester/down/load', bytes);
      const get = (headers: Record<string, string> = {}, method = 'GET') =>
        rawRequest(world.app, '/v1/imagefile/tester/down/load:latest?arch=amd64', { method, headers });
      const whole = await get();
      expect([whole.status, whole.headers['content-length']]).toEqual([200, String(bytes.length)]);
      expect(whole.body.equals(bytes)).toBe(true);
      const part = await get({ range: 'bytes=0-9' });
      expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 0-9/${bytes.length}`]);
      expect(part.body.equals(bytes.subarray(0, 10))).toBe(true);
      const last = await get({ range: `bytes=2000000-${bytes.length - 1}` });
      expect(last.body.equals(bytes.subarray(2_000_000))).toBe(true);
      expect((await get({ range: `bytes=${bytes.length}-` })).status).toBe(416);
      const head = await get({}, 'HEAD');
      expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
        200,
        String(bytes.length),
        0,
      ]);
      expect((await get({ 'if-range': head.headers.etag ?? '', range: 'bytes=0-0' })).status).toBe(206);
      expect((await get({ 'if-range': '"x"', range: 'bytes=0-0' })).status).toBe(200);
    });

    it('69: what is not uploaded is not there', async () => {
      const bytes = await testImage();
      await announce(bytes, 'tester/down/later');
      const path = `tester/down/later:${hashOf(bytes)}`;
      expect((await tester.get(`/v1/imagefile/${path}`)).status).toBe(404);
      expect((await world.anonymous.get('/v1/imagefile/tester/down/nothing:v1')).status).toBe(404);
    });

    it('70: refuses to hand out what is not an image', async () => {
      const bytes = Buffer.from('this is no image');
      await tester.push('tester/down/text', bytes);
      const answer = await tester.get('/v1/imagefile/tester/down/text');
      expect([answer.status, answer.body.error.reason]).toEqual([422, 'not_an_image']);
    });

    it('says so when the bytes were lost, and takes them again', async () => {
      const bytes = await testImage();
      await tester.push('tester/down/lost', bytes);
      const { BlobStore } = await import('#libs/blobs');
      await world.app.get(BlobStore).remove(hashOf(bytes) as never);
      expect((await tester.get(`/v1/images/tester/down/lost:${hashOf(bytes)}`)).body.data.uploaded).toBe(
        false,
      );
      await tester.push('tester/down/lost', bytes);
      expect((await world.anonymous.get('/v1/imagefile/tester/down/lost')).status).toBe(200);
    });

    it('goes on while the image is deleted', async () => {
      const bytes = await testImage({ size: 30_000_000 });
      await tester.push('tester/down/deleted', bytes);
      const reading = rawRequest(world.app, '/v1/imagefile/tester/down/deleted');
      const deleted = await tester.send('DELETE', '/v1/images/tester/down/deleted:latest');
      expect(deleted.status).toBe(200);
      const answer = await reading;
      expect(answer.status === 404 || answer.body.equals(bytes)).toBe(true);
    });
  });

  describe('clients that go away', () => {
    /** Descriptors of this process, which is the server's, below the state folder. */
    const blobsOpen = async () => {
      const folder = '/proc/self/fd';
      const paths = (await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => ''));
      return (await Promise.all(paths)).filter((path) =>
        path.startsWith(join(world.app.home, 'data/library/blobs')),
      );
    };

    it('100 times in an upload, at any point: nothing stays, and the same push works then', async () => {
      const bytes = await testImage({ size: 3_000_000 });
      const id = await announce(bytes, 'tester/cut/up');
      const authorization = `Bearer ${tester.token}`;
      for (let round = 0; round < 100; round += 1) {
        const sent = randomCut(bytes.length, round);
        if (round % 2 === 0) {
          await cutUpload(world.app, `/v1/imagefile/${id}`, {
            method: 'POST',
            body: bytes,
            sent,
            headers: { authorization },
          });
        } else {
          const url = new URL((await start(id, bytes.length)).body.data.uploadURL as string);
          await cutUpload(world.app, url.pathname + url.search, { method: 'PUT', body: bytes, sent });
        }
      }
      await expect.poll(() => world.temporaries()).toEqual([]);
      await expect.poll(blobsOpen).toEqual([]);
      expect((await record(bytes, 'tester/cut/up')).uploaded).toBe(false);
      await tester.push('tester/cut/up', bytes);
      expect((await world.anonymous.get('/v1/images/tester/cut/up:latest')).status).toBe(200);
    });

    it('100 times in a download, at any point: the server goes on', async () => {
      const bytes = await testImage({ size: 3_000_000 });
      await tester.push('tester/cut/down', bytes);
      for (let round = 0; round < 100; round += 1)
        await cutDownload(world.app, '/v1/imagefile/tester/cut/down', randomCut(bytes.length, round));
      await expect.poll(blobsOpen).toEqual([]);
      const whole = await rawRequest(world.app, '/v1/imagefile/tester/cut/down');
      expect(whole.body.equals(bytes)).toBe(true);
    });
  });
});
