import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { WebModule } from '#apps/web/src/web.module';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { rawRequest } from './transfer.js';
import { hashOf, StockClient, testImage } from './world.js';

/*
 * The twenty rules of library contract §1 that break clients when they are missed, and those of its cases (§11) that other services
 * answer: front end, library, keystore and auth in one process, as stock clients find them.
 */

const DISCOVERY = '/assets/config/config.prod.json';
const PASSWORD = 'correct horse battery';
const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
/** Semantic Versioning 2.0.0, without a leading v. */
const STRICT = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?$/;

describe('the library as stock clients find it', () => {
  let app: StartedApp;
  let token: string;
  let tester: StockClient;
  let image: Buffer;
  let pushed: { id: string; container: string };

  beforeAll(async () => {
    app = await startApp({
      modules: [AuthModule, KeystoreModule, LibraryModule.with({ partBytes: 100_000 }), WebModule],
      env: { SCS_SERVICES: 'auth,keystore,library,web', SCS_BUILDER_URL: 'https://builder.example.org' },
    });
    const admin = (await readFile(join(app.home, 'admin.token'), 'utf8')).trim();
    await app.request('/v1/auth/users', { token: admin, json: { username: 'tester', password: PASSWORD } });
    const basic = Buffer.from(`tester:${PASSWORD}`).toString('base64');
    const made = await app.request('/v1/auth/tokens', {
      headers: { authorization: `Basic ${basic}` },
      json: { name: 'stock', scopes: ['library:read', 'library:write', 'library:delete'] },
    });
    token = made.body.data.token as string;
    tester = new StockClient(app, token);
    image = await testImage({ size: 250_000 });
    pushed = await tester.push('tester/proj/busy', image, { tags: ['v1'] });
  });
  afterAll(() => app.stop());

  const discovered = async () => (await app.request(DISCOVERY)).body as Record<string, { uri?: string }>;
  const as = (authorization: string, path: string) => app.request(path, { headers: { authorization } });
  const statusOf = async (answer: Promise<AppAnswer>) => (await answer).status;

  describe('discovery', () => {
    it('rule 1: says that stock clients find it at the standard port only', async () => {
      expect(new URL(app.url).port).not.toBe('');
      const { body } = await app.request('/');
      expect(body).toContain('reach a remote on the standard port only');
    });

    it('1, 2, rule 2, rule 3, rule 4: objects only, a key service under one name, no address with a slash at its end', async () => {
      const answer = await app.request(DISCOVERY);
      expect([answer.status, answer.headers['content-type']]).toEqual([
        200,
        expect.stringMatching(/^application\/json/),
      ]);
      const document = await discovered();
      for (const [name, service] of Object.entries(document)) {
        expect([name, typeof service, Array.isArray(service)]).toEqual([name, 'object', false]);
        expect(service.uri).toMatch(/^https?:\/\/.*[^/]$/);
      }
      expect(Object.keys(document)).toEqual(
        expect.arrayContaining(['libraryAPI', 'keystoreAPI', 'tokenAPI']),
      );
      expect(document).not.toHaveProperty('keyserverAPI');
    });

    it('3, rule 12: a version that clients read as that of the second protocol, for anybody and without a leading v', async () => {
      const { status, body } = await app.request('/version');
      expect(status).toBe(200);
      expect(body.data.version).not.toBe('');
      const [, major = '0', , , before] = STRICT.exec(body.data.apiVersion as string) ?? [];
      // Semantic Versioning §11: 2.0.0-alpha.1 comes before 2.0.0-alpha.2, which is the first with tags for architectures.
      expect(Number(major)).toBeGreaterThanOrEqual(2);
      expect([undefined, 'alpha.2']).toContain(before);
    });

    it('9, 10, 71, rule 19: there is no registry, so nothing says that there is one', async () => {
      const ask = (namespace: string) =>
        app.request(`/v1/oci-redirect?namespace=${namespace}&accessTypes=pull&mapped=1`);
      for (const namespace of ['a/b/c', 'alpine', 'tester/proj/busy'])
        expect(await statusOf(ask(namespace))).toBe(404);
      expect((await discovered())['libraryAPI']).not.toHaveProperty('registryUri');
      // With this text a client would go there. What is no SIF file was never one of a registry.
      await tester.push('tester/proj/other', Buffer.from('an image of a registry'));
      for (const path of [
        'images/tester/proj/other',
        'images/tester/proj/none',
        'imagefile/tester/proj/other',
      ])
        expect(JSON.stringify((await tester.get(`/v1/${path}`)).body)).not.toContain(OCI_CONFIG);
    });
  });

  describe('tokens', () => {
    it('4, rule 9: the word before the token in any case', async () => {
      for (const word of ['bearer', 'Bearer', 'BEARER'])
        for (const path of ['/v1/token-status', '/v1/entities/tester', '/v1/rbac/users/current'])
          expect([word, path, await statusOf(as(`${word} ${token}`, path))]).toEqual([word, path, 200]);
    });

    it('5: a token that nobody gave out is not found', async () => {
      expect(await statusOf(as(`Bearer ${'x'.repeat(250)}`, '/v1/token-status'))).toBe(404);
      const [head = '', claims = ''] = token.split('.');
      expect(await statusOf(as(`Bearer ${head}.${claims}.${'A'.repeat(86)}`, '/v1/token-status'))).toBe(404);
    });

    it('6, rule 9: no token, and the bare word, are no credentials: refused where some are needed, and nobody elsewhere', async () => {
      expect(await statusOf(app.request('/v1/token-status'))).toBe(401);
      for (const bare of ['Bearer', 'Bearer ', 'BEARER']) {
        expect([bare, await statusOf(as(bare, '/v1/token-status'))]).toEqual([bare, 401]);
        expect([bare, await statusOf(as(bare, '/v1/images/tester/proj/busy:v1'))]).toEqual([bare, 200]);
      }
    });

    it('7: who am I, without an envelope', async () => {
      const { status, body } = await as(`Bearer ${token}`, '/v1/rbac/users/current');
      expect([status, body.username, body.data]).toEqual([200, 'tester', undefined]);
      expect(body.oidc_user_meta.secret).not.toBe('');
    });

    it('8: a token that is none is nobody', async () => {
      expect([401, 404]).toContain(await statusOf(as('Bearer nonsense', '/v1/rbac/users/current')));
    });
  });

  describe('bodies and answers', () => {
    it('rule 5, rule 7: JSON without Content-Type, the whole model in zero values, and keys that nobody knows', async () => {
      const body = {
        id: '',
        name: 'tester',
        createdAt: '0001-01-01T00:00:00Z',
        collections: null,
        quota: 0,
        unheardOf: { of: ['it'] },
      };
      const { status, headers } = await rawRequest(app, '/v1/entities', {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: Buffer.from(JSON.stringify(body)),
      });
      expect([status, headers['content-type']]).toEqual([200, expect.stringMatching(/^application\/json/)]);
    });

    it('rule 6, rule 11: tags are set with Arch, Tag and ImageID, and 200 alone says that they are', async () => {
      const body = { Arch: 'amd64', Tag: 'again', ImageID: pushed.id };
      for (const version of ['v1', 'v2'])
        expect(await statusOf(tester.send('POST', `/${version}/tags/${pushed.container}`, body))).toBe(200);
      await tester.push('tester/proj/short', await testImage());
      expect(await statusOf(tester.send('DELETE', '/v1/images/tester/proj/short:latest?arch=amd64'))).toBe(
        200,
      );
    });

    it('rule 8, rule 13: ids are texts, sizes are numbers, times have a zone; an image says its hash, its size and that it is there', async () => {
      const { data } = (await tester.get('/v1/images/tester/proj/busy:v1')).body;
      expect(data).toMatchObject({
        id: pushed.id,
        hash: hashOf(image),
        size: image.length,
        uploaded: true,
        createdAt: expect.stringMatching(/Z$/) as string,
      });
      expect(data.hash).toMatch(/^sha256\.[0-9a-f]{64}$/);
      const named = (ending: RegExp) =>
        Object.entries(data as Record<string, unknown>).filter(([name]) => ending.test(name));
      for (const [name, value] of named(/^id$|Id$/)) expect([name, typeof value]).toEqual([name, 'string']);
      const times = named(/At$/).filter(([, value]) => value !== null);
      expect(times.map(([name]) => name)).toEqual(expect.arrayContaining(['createdAt', 'updatedAt']));
      for (const [name, value] of times)
        expect(`${name} ${String(value)}`).toMatch(
          / \d{4}(?:-\d\d){2}T\d\d(?::\d\d){2}(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/,
        );
    });

    it('rule 10: what is not there is 404 and nothing else', async () => {
      for (const path of [
        'entities/nobody',
        'collections/tester/none',
        'collections/nobody/none',
        'containers/tester/proj/none',
        'containers/tester/none/none',
        'images/tester/proj/none:v1?arch=amd64',
        `images/tester/proj/busy:${hashOf(Buffer.from('none'))}?arch=amd64`,
      ])
        expect([path, await statusOf(tester.get(`/v1/${path}`))]).toEqual([path, 404]);
    });

    it('rule 20: addresses of the API answer by themselves: no redirect, and no page instead of a 404', async () => {
      for (const [method, path] of [
        ['POST', '/v1/entities'],
        ['GET', '/v1/images//tester/proj/busy:v1'],
        ['GET', '/v1/gru/nz'],
        ['GET', '/v2/gru/nz'],
        ['GET', '/version/nothing'],
      ] as const) {
        const body = method === 'POST' ? { name: 'tester' } : undefined;
        const { status, headers } = await tester.send(method, path, body);
        expect([path, status >= 300 && status < 400]).toEqual([path, false]);
        expect([path, headers['content-type']]).toEqual([path, expect.stringMatching(/^application\/json/)]);
      }
    });
  });

  describe('bytes', () => {
    const announce = async (bytes: Buffer) =>
      (await tester.image(pushed.container, hashOf(bytes))).body.data.id as string;

    it('41: nobody else completes an upload, nor gives it up', async () => {
      const bytes = await testImage();
      const id = await announce(bytes);
      await tester.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
      const nobody = new StockClient(app, undefined);
      expect(await statusOf(nobody.send('PUT', `/v2/imagefile/${id}/_complete`, {}))).toBe(401);
      const admin = (await readFile(join(app.home, 'admin.token'), 'utf8')).trim();
      await app.request('/v1/auth/users', { token: admin, json: { username: 'other', password: PASSWORD } });
      const basic = Buffer.from(`other:${PASSWORD}`).toString('base64');
      const made = await app.request('/v1/auth/tokens', {
        headers: { authorization: `Basic ${basic}` },
        json: { name: 'stock', scopes: ['library:read', 'library:write', 'library:delete'] },
      });
      const other = new StockClient(app, made.body.data.token as string);
      for (const step of ['_complete', '_multipart_complete', '_multipart_abort'])
        expect([
          step,
          await statusOf(
            other.send('PUT', `/v2/imagefile/${id}/${step}`, { uploadID: id, completedParts: [] }),
          ),
        ]).toEqual([step, 403]);
    });

    it('rule 14, rule 15: an address takes the bytes without a token and with any, and says 200 with an ETag', async () => {
      for (const authorization of [undefined, 'Bearer nonsense']) {
        const bytes = await testImage();
        const id = await announce(bytes);
        const started = await tester.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
        const { pathname, search } = new URL(started.body.data.uploadURL as string);
        const sent = await rawRequest(app, pathname + search, {
          method: 'PUT',
          headers: authorization === undefined ? {} : { authorization },
          body: bytes,
        });
        expect([sent.status, sent.headers.etag]).toEqual([200, expect.stringMatching(/^".+"$/)]);
      }
    });

    it('44, rule 16, rule 17: parts are always taken; options are texts, and the end is 200 with JSON', async () => {
      const bytes = await testImage({ size: 150_000 });
      const id = await announce(bytes);
      const path = `/v2/imagefile/${id}/_multipart`;
      const started = await tester.send('POST', path, { filesize: bytes.length });
      const { uploadID, totalParts, partSize, options } = started.body.data;
      expect([started.status, totalParts]).toEqual([200, Math.ceil(bytes.length / (partSize as number))]);
      for (const value of Object.values(options as object)) expect(typeof value).toBe('string');
      const completedParts = [];
      for (let partNumber = 1; partNumber <= totalParts; partNumber += 1) {
        const address = await tester.send('PUT', path, { uploadID, partNumber, partSize, sha256sum: '' });
        const part = bytes.subarray((partNumber - 1) * partSize, partNumber * partSize);
        const sent = await tester.put(address.body.data.presignedURL as string, part);
        completedParts.push({ partNumber, token: sent.headers['etag'] });
      }
      const ended = await tester.send('PUT', `${path}_complete`, { uploadID, completedParts });
      expect([ended.status, ended.body.data.containerUrl]).toEqual([200, 'library/tester/proj/busy']);
    });

    it('rule 18: no 303 where the library has the bytes itself; ranges are kept to all the same', async () => {
      const path = '/v1/imagefile/tester/proj/busy:v1?arch=amd64';
      const whole = await rawRequest(app, path);
      expect([whole.status, whole.headers.location, hashOf(whole.body)]).toEqual([
        200,
        undefined,
        hashOf(image),
      ]);
      const part = await rawRequest(app, path, { headers: { range: 'bytes=10-19' } });
      expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 10-19/${image.length}`]);
      expect(part.body.equals(image.subarray(10, 20))).toBe(true);
    });
  });
});
