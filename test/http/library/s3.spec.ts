import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DownloadCounts } from '#apps/library/src/downloads/downloadCounts.service';
import { BlobStore } from '#libs/blobs';
import { HttpClient, LibraryClient, pullImage, pushImage } from '#libs/client';
import { DOWNLOAD_PROOF_HEADER } from '#libs/contract';
import { parsePushReference } from '#libs/core';
import { SignersService } from '#apps/library/src/signers/signers.service';
import { S3BlobDriver } from '../../../libs/blobs/src/s3/s3Driver.js';
import { CertificateAuthority } from '../../support/certificates.js';
import { skipped } from '../../support/needs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { lackingS3, s3Place, s3Settings, startVersitygw, type TestS3 } from '../../support/versitygw.js';
import { openRequest, type RawAnswer, rawRequest } from './transfer.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const reason = lackingS3();
const PART = 6 * 1024 * 1024;

describe.skipIf(reason)(`the library over an object store${skipped(reason)}`, () => {
  let folder: { path: string; remove: () => Promise<void> };
  let authority: CertificateAuthority;
  let server: TestS3;
  /** By the name of the machine; the library reaches it by its address. */
  let publicEndpoint: string;
  let caFile: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    authority = await CertificateAuthority.make();
    const { cert, key } = await authority.issue();
    const file = async (name: string, text: string): Promise<string> => {
      const path = join(folder.path, name);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    };
    caFile = await file('ca.pem', authority.cert);
    server = await startVersitygw({
      certFile: await file('s3.pem', cert),
      keyFile: await file('s3.key', key),
    });
    publicEndpoint = server.endpoint.replace('127.0.0.1', 'localhost');
  });
  afterAll(async () => {
    await server?.stop();
    await folder?.remove();
  });

  const start = async (url: string, more: object = {}, env: Record<string, string> = {}): Promise<World> => {
    const world = await startLibrary({
      limits: { partBytes: PART },
      env: { ...server.env(url), SCS_S3_CA_FILE: caFile, ...env },
      ...more,
    });
    world.app.secrets.add('the key of the object store', server.secretAccessKey);
    return world;
  };
  const temporaries = async (url: string) => {
    const driver = await S3BlobDriver.open(s3Place(url), s3Settings(server, { caFile }));
    return driver.listTemporaries();
  };
  const multipart = (client: StockClient, bytes: Buffer) => {
    const path = (id: string) => `/v2/imagefile/${id}/_multipart`;
    const part = (number: number) => bytes.subarray((number - 1) * PART, number * PART);
    return {
      begin: async (place: string, more: object = {}) => {
        const id = (await client.image(await client.place(place), hashOf(bytes))).body.data.id as string;
        const begun = await client.send('POST', path(id), { filesize: bytes.length, ...more });
        return { id, uploadID: begun.body.data.uploadID as string, ...begun.body.data };
      },
      send: async ({ id, uploadID }: { id: string; uploadID: string }, partNumber: number) => {
        const address = await client.send('PUT', path(id), { uploadID, partNumber, sha256sum: '' });
        const sent = await client.put(address.body.data.presignedURL as string, part(partNumber));
        return { status: sent.status, partNumber, token: sent.headers['etag'] as string };
      },
      complete: ({ id, uploadID }: { id: string; uploadID: string }, completedParts: unknown[]) =>
        client.send('PUT', `${path(id)}_complete`, { uploadID, completedParts }),
    };
  };

  describe('through the library', () => {
    let world: World;
    let tester: StockClient;
    let url: string;
    beforeAll(async () => {
      url = server.newUrl();
      world = await start(url);
      ({ tester } = world);
    });
    afterAll(() => world.stop());
    const blobs = async () =>
      (await world.app.get(BlobStore).list(undefined, 1000)).map(({ digest }) => digest);
    const ready = async () => (await world.app.request('/readyz')).body.data.checks;
    const get = (path: string, range?: string): Promise<RawAnswer> =>
      rawRequest(world.app, `/v1/imagefile/${path}`, range === undefined ? {} : { headers: { range } });

    it('is pushed in one piece, and pulled whole and in ranges', async () => {
      const bytes = await testImage({ size: 3_000_000 });
      await tester.push('tester/s3/one', bytes, { tags: ['v1'] });
      const whole = await get('tester/s3/one:v1');
      expect([whole.status, whole.headers['etag']]).toEqual([200, `"${hashOf(bytes)}"`]);
      expect(whole.body.equals(bytes)).toBe(true);
      for (const [from, to] of [
        [0, 0],
        [100, 2_100_000],
        [bytes.length - 5, bytes.length - 1],
      ] as const) {
        const range = await get('tester/s3/one:v1', `bytes=${from}-${to}`);
        expect([range.status, range.headers['content-range']]).toEqual([
          206,
          `bytes ${from}-${to}/${bytes.length}`,
        ]);
        expect(range.body.equals(bytes.subarray(from, to + 1))).toBe(true);
      }
      expect((await get('tester/s3/one:v1', `bytes=${bytes.length}-`)).status).toBe(416);
      expect(await temporaries(url)).toEqual([]);
    });

    it('is pushed in parts, in any order, some twice', async () => {
      const bytes = await testImage({ size: 2 * PART + 100_000 });
      const { begin, send, complete } = multipart(tester, bytes);
      const upload = await begin('tester/s3/parts');
      const parts = new Map<number, object>();
      for (const number of [3, 1, 2, 1]) parts.set(number, await send(upload, number));
      expect((await complete(upload, [...parts.values()])).status).toBe(200);
      await tester.tag(await tester.place('tester/s3/parts'), 'v1', upload.id);
      expect((await get('tester/s3/parts:v1')).body.equals(bytes)).toBe(true);
      expect(await temporaries(url)).toEqual([]);
    });

    it('is refused when the bytes are others, and nothing of it stays', async () => {
      const bytes = await testImage({ size: 2 * PART });
      const { begin, complete } = multipart(tester, bytes);
      const { send } = multipart(tester, Buffer.from(bytes).fill(7, PART, PART + 10));
      const before = await blobs();
      const upload = await begin('tester/s3/wrong');
      const parts = [await send(upload, 2), await send(upload, 1), await send(upload, 3)];
      const refused = await complete(upload, parts);
      expect([refused.status, refused.body.error.reason]).toEqual([422, 'wrong_digest']);
      expect(await blobs()).toEqual(before);
      expect(await temporaries(url)).toEqual([]);
    });

    it('is stored once, and removed with the last image of it', async () => {
      const bytes = await testImage({ size: 10_000 });
      await tester.push('tester/s3/twice', bytes, { tags: ['a'] });
      await world.other.push('other/s3/twice', bytes, { tags: ['a'] });
      expect((await blobs()).filter((digest) => digest === hashOf(bytes))).toHaveLength(1);
      const remove = (client: StockClient, path: string) =>
        client.send('DELETE', `/v1/images/${path}:a?arch=amd64`);
      expect((await remove(tester, 'tester/s3/twice')).status).toBe(200);
      expect((await get('other/s3/twice:a')).body.equals(bytes)).toBe(true);
      expect((await remove(world.other, 'other/s3/twice')).status).toBe(200);
      expect(await blobs()).not.toContain(hashOf(bytes));
    });

    it('goes on over a crash of the store in the middle of a part', async () => {
      const bytes = await testImage({ size: PART + 1000 });
      const { begin, send, complete } = multipart(tester, bytes);
      const upload = await begin('tester/s3/outage');
      const first = await send(upload, 1);
      await server.kill();
      expect(await ready()).toMatchObject({ 'library blobs': 'failed' });
      const sending = send(upload, 2);
      await server.restart();
      const second = await sending;
      expect([first.status, second.status]).toEqual([200, 200]);
      expect((await complete(upload, [first, second])).status).toBe(200);
      await tester.tag(await tester.place('tester/s3/outage'), 'v1', upload.id);
      expect((await get('tester/s3/outage:v1')).body.equals(bytes)).toBe(true);
      expect(await ready()).toMatchObject({ 'library blobs': 'ok' });
    });

    it('goes on with a pull over a crash of the store in its middle', async () => {
      const bytes = await testImage({ size: 40_000_000 });
      await tester.push('tester/s3/pulled', bytes);
      const pull = openRequest(world.app, '/v1/imagefile/tester/s3/pulled', {});
      pull.end();
      const [answer] = (await once(pull, 'response')) as [IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of answer) {
        if (chunks.length === 0) {
          await server.kill();
          await server.restart();
        }
        chunks.push(chunk as Buffer);
      }
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    }, 60_000);
  });

  it('goes on with an upload after a restart of the library', async () => {
    const url = server.newUrl();
    const home = await temporaryFolder();
    const tokens = await TestAuthority.make();
    const again = () => start(url, { home: home.path, authority: tokens });
    let world = await again();
    try {
      const bytes = await testImage({ size: 2 * PART + 1 });
      const before = multipart(world.tester, bytes);
      const upload = await before.begin('tester/s3/restart');
      const parts = [await before.send(upload, 1), await before.send(upload, 3)];
      await world.stop();
      world = await again();
      const after = multipart(world.tester, bytes);
      const resumed = await after.begin('tester/s3/restart', { resume: true });
      expect(resumed.uploadID).toBe(upload.uploadID);
      expect(Object.keys(JSON.parse(resumed.options.received))).toEqual(['1', '3']);
      parts.push(await after.send(upload, 2));
      expect((await after.complete(upload, parts)).status).toBe(200);
      expect(await temporaries(url)).toEqual([]);
    } finally {
      await world.stop();
      await home.remove();
    }
  });

  describe('by signed addresses', () => {
    let world: World;
    let agent: Agent;
    let small: Buffer;
    beforeAll(async () => {
      world = await start(
        server.newUrl(),
        {},
        { SCS_S3_PUBLIC_ENDPOINT: publicEndpoint, SCS_KEYSTORE_URL: 'https://localhost:1' },
      );
      agent = new Agent({ connect: { ca: [authority.cert, world.app.ca] } });
      small = await testImage({ size: 50_000 });
      await world.tester.push('tester/s3/open', small, { tags: ['v1'] });
      const entity = (await world.tester.entity('tester')).body.data.id as string;
      const hidden = await world.tester.collection(entity, 'hidden', { private: true });
      await world.tester.container(hidden.body.data.id as string, 'c');
      await world.tester.push('tester/hidden/c', small, { tags: ['v1'] });
    });
    afterAll(async () => {
      await agent.destroy();
      await world.stop();
    });
    const locate = async (client: StockClient, path: string): Promise<URL> => {
      const answer = await client.get(`/v1/imagefile/${path}`);
      expect(answer.status).toBe(303);
      expect(answer.headers['cache-control']).toBe('no-store');
      return new URL(answer.headers['location'] as string);
    };
    /** Without a token, as stock clients do it. */
    const fetchFrom = async (url: URL, range?: string) => {
      const { origin, pathname, search } = url;
      const answer = await agent.request({
        origin,
        path: pathname + search,
        method: 'GET',
        ...(range === undefined ? {} : { headers: { range } }),
      });
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: Buffer.from(await answer.body.arrayBuffer()),
      };
    };

    it('sends a pull to the store, by the name that clients know', async () => {
      const url = await locate(world.anonymous, 'tester/s3/open:v1');
      expect(url.origin).toBe(publicEndpoint);
      expect(Number(url.searchParams.get('X-Amz-Expires'))).toBe(24 * 3600);
      const probe = await fetchFrom(url, 'bytes=0-1024');
      expect([probe.status, probe.headers['content-range']]).toEqual([206, `bytes 0-1024/${small.length}`]);
      const rest = await fetchFrom(url, `bytes=1025-${small.length - 1}`);
      expect(Buffer.concat([probe.body, rest.body]).equals(small)).toBe(true);
      expect((await fetchFrom(url)).body.equals(small)).toBe(true);
    });

    it('signs for one blob, one name and one time', async () => {
      const url = await locate(world.anonymous, 'tester/s3/open:v1');
      for (const [name, value] of [
        ['X-Amz-Expires', '604800'],
        ['X-Amz-Signature', '0'.repeat(64)],
      ] as const) {
        const changed = new URL(url);
        changed.searchParams.set(name, value);
        expect((await fetchFrom(changed)).status).toBe(403);
      }
      const otherName = new URL(url.href.replace('localhost', '127.0.0.1'));
      expect((await fetchFrom(otherName)).status).toBe(403);
      const otherKey = new URL(url);
      otherKey.pathname = otherKey.pathname.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
      expect((await fetchFrom(otherKey)).status).toBe(403);
    });

    it('gives an address of a private image to who may read it alone, and for a short time', async () => {
      expect((await world.anonymous.get('/v1/imagefile/tester/hidden/c:v1')).status).toBe(404);
      expect((await world.other.get('/v1/imagefile/tester/hidden/c:v1')).status).toBe(404);
      const url = await locate(world.tester, 'tester/hidden/c:v1');
      expect(Number(url.searchParams.get('X-Amz-Expires'))).toBe(600);
      expect((await fetchFrom(url)).body.equals(small)).toBe(true);
    });

    it('gives none where nobody has signed who must have, and a short one where somebody has', async () => {
      const rule = (pull: string | undefined) =>
        world.tester.send('PATCH', '/v1/manage/entities/tester', {
          requiredSigners: pull === undefined ? null : { pull: [pull] },
        });
      const signer = 'a'.repeat(40);
      await rule(signer);
      const refused = await world.anonymous.get('/v1/imagefile/tester/s3/open:v1');
      expect([refused.status, refused.headers['location']]).toEqual([403, undefined]);
      const standing = vi
        .spyOn(world.app.get(SignersService), 'standing')
        .mockResolvedValue({ signers: [signer], signatures: [], certain: true });
      const url = await locate(world.anonymous, 'tester/s3/open:v1');
      expect(Number(url.searchParams.get('X-Amz-Expires'))).toBe(600);
      standing.mockRestore();
      await rule(undefined);
    });

    it('answers a HEAD by itself, and 404 for what is not there', async () => {
      const head = await world.anonymous.send('HEAD', '/v1/imagefile/tester/s3/open:v1');
      expect([head.status, head.headers['content-length']]).toEqual([200, String(small.length)]);
      expect((await world.anonymous.get('/v1/imagefile/tester/s3/open:v2')).status).toBe(404);
      const lost = await testImage();
      await world.tester.push('tester/s3/lost', lost, { tags: ['v1'] });
      await world.app.get(BlobStore).remove(hashOf(lost) as never);
      expect((await world.anonymous.get('/v1/imagefile/tester/s3/lost:v1')).status).toBe(404);
    });

    it('counts a pull once', async () => {
      const count = async () => {
        await world.app.get(DownloadCounts).flush();
        return (await world.tester.get('/v1/containers/tester/s3/open')).body.data.downloadCount as number;
      };
      const before = await count();
      await locate(world.anonymous, 'tester/s3/open:v1');
      expect(await count()).toBe(before + 1);
    });

    it('lets our own client push and pull, with the proof that it has begun', async () => {
      const bytes = await testImage({ size: 2 * PART });
      const client = new LibraryClient(
        new HttpClient({
          baseUrl: world.app.url,
          userAgent: 'sing/test',
          dispatcher: agent,
          ...(world.tester.token === undefined ? {} : { token: world.tester.token }),
        }),
      );
      const file = join(folder.path, 'pushed.sif');
      await writeFile(file, bytes);
      await pushImage(client, {
        ...parsePushReference('library://tester/hidden/own:1'),
        file,
        arch: 'amd64',
      });
      const image = await client.image({ path: 'tester/hidden/own', tag: '1', arch: 'amd64' });
      const destination = join(folder.path, 'pulled.sif');
      await pullImage(client, { image, path: 'tester/hidden/own', destination });
      expect((await readFile(destination)).equals(bytes)).toBe(true);
      const answer = await world.tester.get(`/v1/imagefile/tester/hidden/own:${hashOf(bytes)}`);
      expect(answer.headers[DOWNLOAD_PROOF_HEADER]).toContain(hashOf(bytes));
      await client.http.close();
    });
  });
});
