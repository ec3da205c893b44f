import { createHash } from 'node:crypto';
import { ServiceKey } from '#libs/server';
import { systemClock } from '#libs/core';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppAnswer, StartedApp } from '../../support/app.js';
import { base64, DONE, type Followed, SCRATCH, TestBuilder } from '../../support/builder.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

describe.each(DATABASES)('the builder on $name', ({ open }) => {
  let builder: TestBuilder;
  let app: StartedApp;
  let database: TestDatabase;
  let redis: RedisServer;
  let admin: string;
  let ann: string;
  let bob: string;

  beforeAll(async () => {
    [database, redis] = await Promise.all([open(), startRedis()]);
    builder = await TestBuilder.start(database, { redis });
    ({ app, admin } = builder);
    [ann, bob] = [await builder.account('ann'), await builder.account('bob')];
  });
  afterAll(async () => {
    await builder.stop();
    await Promise.all([database.stop(), redis.stop()]);
  });

  const token = async (username: string, scopes: string[]): Promise<string> =>
    (await builder.token(username, scopes)).token;
  const submit = (json: object, as = ann): Promise<AppAnswer> => builder.submit(json, as);
  const submitted = (json: object = {}): Promise<string> => builder.submitted(ann, json);
  const status = (id: string, as = ann) => builder.status(id, as);
  const ticket = (id: string): Promise<AppAnswer> => builder.ticket(id);
  const started = (id: string) => builder.started(id);
  const say = (id: string, as: string, offset: number, text: string | Uint8Array): Promise<AppAnswer> =>
    builder.say(id, as, offset, text);
  const finish = (id: string, as: string, json: object): Promise<AppAnswer> => builder.finish(id, as, json);
  const done = DONE;
  const follow = (id: string, as: string, query = ''): Promise<Followed> => builder.follow(id, as, { query });

  describe('submit', () => {
    it('7: answers at once with the ephemeral place and absolute addresses', async () => {
      const { body } = await submit({ definitionRaw: base64(SCRATCH), libraryRef: '' });
      const { id } = body.data;
      expect(id).toMatch(/^[0-9a-f]{24}$/);
      expect(body.data).toMatchObject({
        isComplete: false,
        status: 'Pending',
        libraryRef: `library://ann/remote-builds/rb-${id}:latest`,
        libraryURL: 'https://localhost:1',
      });
      expect(body.data.wsURL).toBe(`${app.url.replace(/^http/, 'ws')}/v1/build-ws/${id}`);
    });

    it.each([
      [8, { buildRecipe: SCRATCH }],
      [8, { buildReceipe: SCRATCH }],
      [9, { definition: { raw: base64(SCRATCH) } }],
    ])('%i: takes the other forms of a definition', async (_, json) => {
      expect((await submit(json)).status).toBe(200);
    });

    it.each([
      [10, {}, 400, 'definitionRaw'],
      [11, { definitionRaw: '***' }, 400, 'base64'],
      [12, { definitionRaw: base64('foo: bar\n') }, 400, 'invalid header keyword'],
      [14, { definitionRaw: base64(SCRATCH), builderRequirements: { arch: 'sparc' } }, 400, 'amd64'],
      [19, { definitionRaw: base64(SCRATCH), libraryRef: 'library://Upper/c/n' }, 400, ''],
      [19, { definitionRaw: base64(SCRATCH), libraryRef: 'library://h/e/c/n:t' }, 400, ''],
      [19, { definitionRaw: base64(SCRATCH), libraryRef: 'docker://e/c/n' }, 400, ''],
      [20, { definitionRaw: base64(SCRATCH), libraryRef: 'library://bob/c/n' }, 403, 'may not write'],
      [47, { definitionRaw: base64(SCRATCH), contextDigest: `sha256.${'0'.repeat(64)}` }, 404, 'context'],
      [0, { definitionRaw: base64('bootstrap: localimage\nfrom: /x\n') }, 400, 'remotely'],
      [0, { definitionRaw: base64('bootstrap: oci\nfrom: /x\n') }, 400, 'remotely'],
      [0, { definitionRaw: base64('bootstrap: scratch\n%files\n/etc/passwd\n') }, 400, 'contextDigest'],
      [0, { definitionRaw: base64('bootstrap: scratch\n%setup\ntrue\n') }, 400, '%setup'],
    ])('%i: refuses %j with %i', async (_, json, code, words) => {
      const answer = await submit(json);
      expect([answer.status, answer.body.error.code]).toEqual([code, code]);
      expect(answer.body.error.message).toContain(words);
    });

    it.each([
      [16, 'library:ann/c/n:a,b', 'library://ann/c/n:a,b'],
      [17, 'library://ann/c/n', 'library://ann/c/n:latest'],
      [18, 'library:///ann/c/n:x', 'library://ann/c/n:x'],
      [18, 'ann/c/n:x', 'library://ann/c/n:x'],
    ])('%i: takes the reference %s', async (_, libraryRef, canonical) => {
      const answer = await submit({ definitionRaw: base64(SCRATCH), libraryRef });
      expect(answer.body.data.libraryRef).toBe(canonical);
    });

    it('4, 5: needs a token, in whatever case the scheme is written', async () => {
      expect((await app.request('/v1/build', { method: 'POST', json: {} })).status).toBe(401);
      for (const scheme of ['BEARER', 'Bearer', 'bearer']) {
        const answer = await app.request('/v1/build', {
          method: 'POST',
          headers: { authorization: `${scheme} ${ann}` },
          json: { buildRecipe: SCRATCH },
        });
        expect(answer.status).toBe(200);
      }
    });

    it('needs the scope build, and one for the place', async () => {
      expect((await submit({ buildRecipe: SCRATCH }, await token('ann', ['library:write']))).status).toBe(
        403,
      );
      expect(
        (await submit({ buildRecipe: SCRATCH }, await token('ann', ['build', 'library:read']))).status,
      ).toBe(403);
    });

    it('refuses at once where the image would be refused: a build has no rank of an administrator', async () => {
      const answer = await submit({ buildRecipe: SCRATCH, libraryRef: 'library://ann/c/n' }, admin);
      expect([answer.status, answer.body.error.reason]).toEqual([403, 'may_not_publish']);
      expect((await submit({ buildRecipe: SCRATCH, libraryRef: 'library://admin/c/n' }, admin)).status).toBe(
        200,
      );
    });
  });

  it('23–28: tells about builds to their owner and to administrators only', async () => {
    const id = await submitted();
    expect((await app.request('/v1/build/zzz', { token: ann })).status).toBe(400);
    expect((await app.request(`/v1/build/${'0'.repeat(24)}`, { token: ann })).status).toBe(404);
    expect((await app.request(`/v1/build/${id}`, { token: bob })).status).toBe(404);
    expect((await status(id, admin)).id).toBe(id);
    const list = async (query: string, as: string) =>
      (await app.request(`/v1/build${query}`, { token: as })).body.data.map((one: { id: string }) => one.id);
    expect((await list('?from=&to=&user=', ann))[0]).toBe(id);
    expect(await list('?user=', bob)).toEqual([]);
    expect(await list('?user=', admin)).toContain(id);
    expect(await list(`?user=${(await status(id)).createdBy}`, bob)).toEqual([]);
  });

  it('29: hides a deleted build from lists', async () => {
    const id = await submitted();
    expect((await app.request(`/v1/build/${id}`, { method: 'DELETE', token: ann })).status).toBe(200);
    const find = async (query: string) =>
      (await app.request(`/v1/build${query}`, { token: ann })).body.data.find(
        (one: { id: string }) => one.id === id,
      );
    expect(await find('')).toBeUndefined();
    expect(await find('?includeDeleted=true')).toMatchObject({ deleted: true, status: 'Deleted' });
  });

  describe('a worker', () => {
    const tryId = 'a'.repeat(24);

    it('gets what a build needs for its proof, and only once per proof', async () => {
      const id = await submitted({ libraryRef: 'library://ann/c/n:a,b', workingDir: '/home/ann' });
      const clientAssertion = await builder.proof();
      const ask = () =>
        app.request(`/v1/build/${id}/_ticket`, { method: 'POST', json: { clientAssertion, tryId } });
      const first = await ask();
      expect(first.body.data).toMatchObject({
        definition: SCRATCH,
        place: 'ann/c/n',
        tags: ['a', 'b'],
        workingDirectory: '/home/ann',
        attempt: 1,
        logSize: 0,
      });
      expect((await ask()).status).toBe(401);
      expect(await status(id)).toMatchObject({ status: 'InProgress' });
    });

    it.each(['nonsense', 'a.b.c'])('is refused with the proof %s', async (clientAssertion) => {
      const answer = await app.request(`/v1/build/${await submitted()}/_ticket`, {
        method: 'POST',
        json: { clientAssertion, tryId },
      });
      expect(answer.status).toBe(401);
    });

    it('is refused with the proof of another service, and with a token of a person', async () => {
      const id = await submitted();
      const other = await ServiceKey.open({
        service: 'library',
        dataFolder: app.config.dataFolder('library'),
        home: app.home,
        clock: systemClock,
      });
      const ask = async (clientAssertion: string) =>
        (await app.request(`/v1/build/${id}/_ticket`, { method: 'POST', json: { clientAssertion, tryId } }))
          .status;
      expect(await ask(await builder.proof(other))).toBe(401);
      // Made for auth, by a worker: who was shown it there cannot show it here.
      expect(await ask(await builder.proof(undefined, 'auth'))).toBe(401);
      expect(await ask(await builder.proof())).toBe(200);
      expect((await say(id, ann, 0, 'x')).status).toBe(403);
      expect((await finish(id, ann, done)).status).toBe(403);
    });

    it('cannot use the token of one build for another, nor for anything else', async () => {
      const [id, other] = [await submitted(), await submitted()];
      const { builderToken, libraryToken } = await started(id);
      expect((await say(other, builderToken, 0, 'x')).status).toBe(403);
      expect((await say(id, libraryToken, 0, 'x')).status).toBe(401);
      expect((await submit({ buildRecipe: SCRATCH }, builderToken)).status).toBe(401);
      expect((await say(id, builderToken, 0, 'x')).status).toBe(200);
    });

    it('is nobody with a token that was exchanged for its build from another token, whosever that is', async () => {
      const key = await ServiceKey.open({
        service: 'builder',
        dataFolder: app.config.dataFolder('builder'),
        home: app.home,
        clock: systemClock,
      });
      const id = await submitted();
      const { builderToken } = await started(id);
      const place = decodeJwt<{ subject: { container: string } }>(builderToken).subject.container;
      const exchanged = async (subject_token: string, container = place): Promise<string> => {
        const form = {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await builder.proof(key, 'auth'),
          audience: 'builder',
          scope: 'build',
          job: id,
          container,
          lifetime: '600',
        };
        const body = new URLSearchParams(form).toString();
        return (await app.request('/v1/auth/token', { body })).body.access_token;
      };
      // The same person, with another token of hers; for another place; and somebody else.
      const other = (await builder.token('ann')).token;
      for (const token of [await exchanged(other), await exchanged(ann, 'ann/c/n'), await exchanged(bob)]) {
        expect((await say(id, token, 0, 'x')).status).toBe(403);
        expect((await finish(id, token, done)).status).toBe(403);
        expect((await app.request(`/v1/build/${id}/_context`, { token })).status).toBe(403);
      }
      expect((await say(id, await exchanged(ann), 0, 'x')).status).toBe(200);
    });

    it('dies with the token that the build was submitted with', async () => {
      const made = await builder.token('ann');
      const answer = await submit({ buildRecipe: SCRATCH }, made.token);
      const { builderToken } = await started(answer.body.data.id);
      await builder.revoke('ann', made.id);
      await expect
        .poll(async () => (await say(answer.body.data.id, builderToken, 0, 'x')).status, { timeout: 2000 })
        .toBe(401);
    });

    it('writes nothing twice, leaves no gap, and ends a build once', async () => {
      const id = await submitted();
      const { builderToken } = await started(id);
      expect((await say(id, builderToken, 0, 'hello ')).body.data).toEqual({ size: 6, wanted: true });
      expect((await say(id, builderToken, 3, 'lo world')).body.data.size).toBe(11);
      expect((await say(id, builderToken, 50, 'gap')).status).toBe(409);
      expect((await finish(id, builderToken, done)).status).toBe(200);
      await finish(id, builderToken, { outcome: 'failed', reason: 'late' });
      expect(await status(id)).toMatchObject({ status: 'Complete', isComplete: true, imageSize: 42 });
      expect((await app.request(`/v1/build-output/${id}`, { token: ann })).body).toBe('hello world');
      expect((await ticket(id)).status).toBe(410);
    });

    it('55: a failure has its reason in record and log, and no image size', async () => {
      const id = await submitted();
      const { builderToken } = await started(id);
      await finish(id, builderToken, { outcome: 'failed', reason: 'no space' });
      const record = await status(id);
      expect(record).toMatchObject({ status: 'Complete', isComplete: true, failureReason: 'no space' });
      expect(record.imageSize).toBeUndefined();
      expect(await follow(id, ann)).toEqual({ text: 'Build failed: no space\n', code: 1000 });
    });

    it('is given up after its tries', async () => {
      const id = await submitted();
      await ticket(id);
      expect((await ticket(id)).body.data.attempt).toBe(2);
      expect((await ticket(id)).status).toBe(410);
      expect((await status(id)).failureReason).toContain('its worker was lost');
    });
  });

  describe('the log stream', () => {
    it('49–52: sends everything from the first byte to all, then closes with 1000 when the record is final', async () => {
      const id = await submitted();
      const early = follow(id, ann);
      const { builderToken } = await started(id);
      await say(id, builderToken, 0, 'one\n');
      const middle = follow(id, ann);
      await say(id, builderToken, 4, 'two\n');
      await finish(id, builderToken, done);
      const all = { text: 'one\ntwo\n', code: 1000 };
      expect(await Promise.all([early, middle, follow(id, ann)])).toEqual([all, all, all]);
      expect(await follow(id, ann, '?offset=4')).toEqual({ text: 'two\n', code: 1000 });
    });

    it('53: never cuts a character, and keeps a megabyte on one line', async () => {
      const id = await submitted();
      const { builderToken } = await started(id);
      const line = 'é€😀\r'.repeat(90_000);
      const bytes = Buffer.from(line);
      for (let at = 0; at < bytes.length; at += 500_001)
        await say(id, builderToken, at, bytes.subarray(at, at + 500_001));
      await finish(id, builderToken, done);
      const got = await follow(id, ann);
      expect('text' in got && got.text === line).toBe(true);
    });

    it('56, 57: takes the token from the query, and refuses others at the handshake', async () => {
      const id = await submitted();
      await app.request(`/v1/build/${id}/_cancel`, { method: 'PUT', token: ann });
      expect(await follow(id, '', `?auth_token=${ann}`)).toEqual({ text: 'Build cancelled.\n', code: 1000 });
      expect(await follow(id, '')).toEqual({ refused: 401 });
      expect(await follow(id, 'bad')).toEqual({ refused: 401 });
      expect(await follow(id, bob)).toEqual({ refused: 403 });
      expect(await follow('0'.repeat(24), ann)).toEqual({ refused: 404 });
    });
  });

  describe('cancel', () => {
    it('30–33: ends a build for its owner, tells its worker, and changes nothing when it is over', async () => {
      const id = await submitted();
      const { builderToken } = await started(id);
      expect((await app.request(`/v1/build/${id}/_cancel`, { method: 'PUT', token: bob })).status).toBe(404);
      const stream = follow(id, ann);
      expect((await app.request(`/v1/build/${id}/_cancel`, { method: 'PUT', token: ann })).status).toBe(204);
      expect(await stream).toEqual({ text: 'Build cancelled.\n', code: 1000 });
      expect(await status(id)).toMatchObject({ status: 'Cancelled', isComplete: true });
      expect((await say(id, builderToken, 17, 'more')).body.data.wanted).toBe(false);
      await finish(id, builderToken, done);
      expect((await app.request(`/v1/build/${id}/_cancel`, { method: 'PUT', token: ann })).status).toBe(204);
      expect((await status(id)).status).toBe('Cancelled');
    });
  });

  describe('build contexts', () => {
    const bytes = Buffer.from(`context ${Math.random()}`);
    const digest = `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
    const announce = (json: object, as = ann): Promise<AppAnswer> =>
      app.request('/v1/build-context', { method: 'POST', token: as, json });
    const put = (location: string, body: Uint8Array): Promise<AppAnswer> =>
      app.request(location, { method: 'PUT', body });

    it('40, 41, 45: are wanted until they arrived whole, and belong to whoever uploaded them', async () => {
      const first = await announce({ size: bytes.length, digest });
      const location = String(first.headers['location']);
      expect(first.status).toBe(202);
      expect((await put(location, Buffer.from('something else!!!'))).status).toBe(422);
      expect((await announce({ size: bytes.length, digest })).headers['location']).toBeDefined();
      expect((await put(location, bytes)).status).toBe(201);
      expect((await announce({ size: bytes.length, digest })).headers['location']).toBeUndefined();
      // Nobody learns what others have uploaded.
      const foreign = await announce({ size: bytes.length, digest }, bob);
      expect(foreign.headers['location']).toBeDefined();
      expect((await submit({ buildRecipe: SCRATCH, contextDigest: digest }, bob)).status).toBe(404);
      await put(String(foreign.headers['location']), bytes);
      await app.request(`/v1/build-context/${digest}`, { method: 'DELETE', token: ann });
      const id = (await submit({ buildRecipe: SCRATCH, contextDigest: digest }, bob)).body.data.id;
      await app.request(`/v1/build-context/${digest}`, { method: 'DELETE', token: bob });
      const { builderToken } = await started(id);
      const context = await app.request(`/v1/build/${id}/_context`, { token: builderToken });
      expect(context.body).toBe(bytes.toString());
    });

    it('42: an upload address is good for what it was made for only', async () => {
      const location = String(
        (await announce({ size: 5, digest: `sha256.${'1'.repeat(64)}` })).headers['location'],
      );
      expect((await put(location.replace('1'.repeat(64), '2'.repeat(64)), Buffer.from('hello'))).status).toBe(
        403,
      );
      expect((await put(location.replace('size=5', 'size=6'), Buffer.from('hello!'))).status).toBe(403);
      expect(
        (await put(location.replace(/expires=\d+/, 'expires=9999999999'), Buffer.from('hello'))).status,
      ).toBe(403);
    });

    it.each([
      [{ size: 1, digest: `sha256:${'0'.repeat(64)}` }, 400],
      [{ size: 0, digest: `sha256.${'0'.repeat(64)}` }, 400],
      [{ size: 1e15, digest: `sha256.${'0'.repeat(64)}` }, 413],
      [{ size: 1, digest: 'sha256.../../x' }, 400],
    ])('43: refuses %j', async (json, code) => {
      expect((await announce(json)).status).toBe(code);
    });
  });

  describe('convert', () => {
    const convert = (body: string, headers: Record<string, string> = {}): Promise<AppAnswer> =>
      app.request('/v1/convert-def-file', { method: 'POST', token: ann, headers, body });

    it.each([
      [34, SCRATCH, {}],
      [35, SCRATCH, { 'content-type': 'text/plain' }],
      [36, SCRATCH, { 'content-type': 'application/json' }],
      [36, JSON.stringify(SCRATCH), { 'content-type': 'application/json' }],
    ])('%i: reads the raw text whatever its type', async (_, body, headers) => {
      const answer = await convert(body, headers);
      expect([answer.status, answer.body.data.header.bootstrap]).toEqual([200, 'scratch']);
      expect(answer.body.data.imageData.imageScripts.runScript.script).toBe('echo hi\n');
    });

    it('38, 39: adds one harmless host file when there is none', async () => {
      const files = async (text: string) => (await convert(text)).body.data.buildData.files;
      const synthetic = { args: '', files: [{ source: '/proc/version', destination: '' }] };
      expect(await files(SCRATCH)).toEqual([synthetic]);
      expect(await files(`${SCRATCH}%files from x\na b\n`)).toHaveLength(2);
      expect(await files(`${SCRATCH}%files\na b\n`)).toEqual([
        { args: '', files: [{ source: 'a', destination: 'b' }] },
      ]);
    });

    it('36: refuses malformed text with the parser’s words', async () => {
      const answer = await convert('foo: bar\n');
      expect([answer.status, answer.body.error.code]).toEqual([400, 400]);
    });

    it('6: an empty bearer is nobody', async () => {
      expect(
        (
          await app.request('/v1/convert-def-file', {
            method: 'POST',
            headers: { authorization: 'Bearer ' },
            body: SCRATCH,
          })
        ).status,
      ).toBe(401);
    });
  });
});
