import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { BuilderModule } from '#apps/builder/src/builder.module';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { WebModule } from '#apps/web/src/web.module';
import { WorkerModule } from '#apps/worker/src/worker.module';
import { hashOf, testImage } from '../http/library/world.js';
import { type StartedApp, startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { scsBuild, stockClient } from '../support/go-tools.js';
import { lacking, skipped } from '../support/needs.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { BASE, POST } from '../support/remote-builds.js';
import type { Ended, Running } from '../support/run.js';
import { type Person, person } from '../support/up.js';

/*
 * What lasts longer than the token that it was begun with: every service in one process, compiled and stock programs, and between them
 * a network that holds back what they send until the token has expired.
 */

const MIB = 1024 * 1024;
/** Seconds: the shortest that there is. */
const LIFETIME = 60;
const PASSWORD = 'correct horse battery';
const USER = 'ann';

/** The time of the machine, and as much more as a test says. */
let ahead = 0;
const clock = { now: () => new Date(Date.now() + ahead) };

let redis: RedisServer;
let gate: Gate;
let app: StartedApp;
let me: Person;
let admin: string;

const needsRedis = lacking('redis-server', 'busybox', 'mksquashfs');
const needsGo = lacking('go', 'flock');

describe.skipIf(needsRedis)(`a token that expires in the middle${skipped(needsRedis)}`, () => {
  beforeAll(async () => {
    redis = await startRedis();
    let port = 0;
    gate = await Gate.open(() => port);
    app = await startApp({
      modules: [
        AuthModule,
        KeystoreModule,
        LibraryModule.with({ partBytes: 16 * MIB }),
        BuilderModule,
        WorkerModule,
        WebModule,
      ],
      env: {
        SCS_SERVICES: 'auth,keystore,library,builder,worker,web',
        SCS_REDIS_URL: redis.url,
        SCS_PUBLIC_URL: `https://localhost:${gate.port}`,
      },
      clock,
    });
    ({ port } = app.config);
    me = await person();
    writeFileSync(me.path('ca.pem'), app.ca);
    admin = readFileSync(join(app.home, 'admin.token'), 'utf8').trim();
    const json = { username: USER, password: PASSWORD };
    await app.request('/v1/auth/users', { token: admin, json });
  });
  afterAll(async () => {
    await app?.stop();
    await gate?.close();
    await redis?.stop();
    await me?.remove();
  });
  afterEach(() => gate.release());

  let token: string;
  beforeEach(async () => {
    const basic = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    const made = await app.request('/v1/auth/tokens', {
      headers: { authorization: `Basic ${basic}` },
      json: { name: 'short', scopes: ['library:read', 'library:write', 'build'], lifetime: LIFETIME },
    });
    ({ token } = made.body.data);
  });

  /** Past the gate. */
  const direct = async (path: string, as: string) => {
    const origin = `https://localhost:${app.config.port}`;
    const headers = { authorization: `Bearer ${as}` };
    const { statusCode, body } = await app.dispatcher.request({ origin, path, method: 'GET', headers });
    return {
      status: statusCode,
      body: (await body.json()) as { data?: { hash: string; uploaded: boolean } },
    };
  };
  const expire = async (): Promise<void> => {
    expect((await direct('/v1/token-status', token)).status).toBe(200);
    ahead += (LIFETIME + 1) * 1000;
    expect((await direct('/v1/token-status', token)).status).toBe(404);
    expect((await direct('/v1/entities', token)).status).toBe(401);
  };

  /** `sing` with the token, as somebody in whose SCS_HOME an instance runs. */
  const sing = (...words: string[]): Running => {
    const home = me.path('instance');
    mkdirSync(home, { recursive: true });
    const tokenFile = me.path('token');
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const endpoint = {
      url: app.url,
      caFile: me.path('ca.pem'),
      tokenFile,
      username: USER,
      pid: 1,
      version: '0',
    };
    writeFileSync(join(home, 'endpoint.json'), JSON.stringify(endpoint));
    return me.with({ SCS_HOME: home }).startSing(...words);
  };
  const stock = (program: string, ...words: string[]): Running =>
    me.with({ TOKEN: token, SSL_CERT_FILE: me.path('ca.pem') }).start(program, words);

  /** Resolves with what comes true while the program runs. @throws Error with what it said when it ends before */
  const during = async (running: Running, event: Promise<unknown>): Promise<void> => {
    const early = running.ended.then(({ stdout, stderr }) => {
      throw new Error(`It ended too early:\n${stdout}\n${stderr}`);
    });
    early.catch(() => undefined);
    await Promise.race([event, early]);
  };
  const well = async (running: Running): Promise<Ended> => {
    const ended = await running.ended;
    if (ended.status !== 0)
      throw new Error(`It ended with ${ended.status}:\n${ended.stdout}\n${ended.stderr}`);
    return ended;
  };
  const imageFile = async (size: number): Promise<{ readonly path: string; readonly bytes: Buffer }> => {
    const bytes = await testImage({ size });
    const path = me.path(`${randomBytes(4).toString('hex')}.sif`);
    writeFileSync(path, bytes);
    return { path, bytes };
  };
  const hashAt = async (path: string): Promise<string | undefined> =>
    (await direct(`/v1/images/${path}?arch=amd64`, admin)).body.data?.hash;

  const PUSHES = [
    ['in one piece', 3 * MIB, MIB],
    ['in parts, most of which are announced afterwards', 66 * MIB, 20 * MIB],
  ] as const;

  it.each(PUSHES)('sing push: %s, tags included', async (_, size, before) => {
    const { path, bytes } = await imageFile(size);
    const held = gate.holdAfter('up', before);
    const push = sing('push', '-U', path, `library://${USER}/life/sing${size}:1,2`);
    await during(push, held);
    await expire();
    gate.release();
    await well(push);
    for (const tag of ['1', '2']) expect(await hashAt(`${USER}/life/sing${size}:${tag}`)).toBe(hashOf(bytes));
  });

  it('sing pull: ranges that are asked for again, on new connections', async () => {
    const { path, bytes } = await imageFile(40 * MIB);
    await well(sing('push', '-U', path, `library://${USER}/life/pulled:1`));
    const held = gate.holdAfter('down', 5 * MIB);
    const file = me.path('pulled.sif');
    const pull = sing('pull', '--disable-cache', file, `library://${USER}/life/pulled:1`);
    await during(pull, held);
    await expire();
    gate.cut();
    await well(pull);
    expect(hashOf(readFileSync(file))).toBe(hashOf(bytes));
  });

  describe('sing build --remote', () => {
    let door: Server;
    /** The build stands here until it is answered. */
    let knocks: Promise<ServerResponse>;
    beforeEach(async () => {
      const { promise, resolve } = Promise.withResolvers<ServerResponse>();
      knocks = promise;
      door = createServer((_, answer) => resolve(answer)).listen(0, '127.0.0.1');
      await once(door, 'listening');
    });
    afterEach(() => {
      door.closeAllConnections();
      door.close();
    });
    const definition = (): string => {
      const { port } = door.address() as AddressInfo;
      const path = me.path('slow.def');
      const script = `echo at the door\n/bin/busybox wget -q -O - http://127.0.0.1:${port}/\necho gone through\n`;
      writeFileSync(path, `${BASE}${POST}${script}`);
      return path;
    };

    it('log, status and image', async () => {
      const build = sing('build', '--remote', 'remote.sif', definition());
      await during(build, Promise.all([knocks, build.says('at the door')]));
      await expire();
      // The log has to be taken up again.
      gate.cut();
      (await knocks).end('come in');
      const { stdout, stderr } = await well(build);
      expect(stdout).toContain('gone through');
      expect(stdout).toMatch(/Build complete: \d+ bytes/);
      expect(stderr).toContain('Build complete: remote.sif');
      expect((await well(sing('sif', 'list', 'remote.sif'))).stdout).toContain('Squashfs');
    });

    it('that is interrupted is cancelled', async () => {
      const build = sing('build', '--remote', 'cancelled.sif', definition());
      await during(build, Promise.all([knocks, build.says('at the door')]));
      await expire();
      build.child.kill('SIGINT');
      expect((await build.ended).stderr).toContain('The build was cancelled.');
    });

    it.skipIf(needsGo)(
      `scs-build: log, status and image${skipped(needsGo)}`,
      async () => {
        const words = ['build', '--url', app.url, '--auth-token', token, definition(), me.path('stock.sif')];
        const build = stock(await scsBuild('v0.9.21'), ...words);
        await during(build, Promise.all([knocks, build.says('at the door')]));
        await expire();
        (await knocks).end('come in');
        await well(build);
        expect((await well(sing('sif', 'list', 'stock.sif'))).stdout).toContain('Squashfs');
      },
      600_000,
    );
  });

  describe.skipIf(needsGo)(`the library client of singularity and apptainer${skipped(needsGo)}`, () => {
    let program: string;
    beforeAll(async () => {
      program = await stockClient();
    }, 600_000);

    it.each(PUSHES)('push: %s, tags included', async (_, size, before) => {
      const { path, bytes } = await imageFile(size);
      const place = `${USER}/life/stock${size}`;
      const held = gate.holdAfter('up', before);
      const push = stock(program, 'library', 'push', app.url, path, place, 'amd64', '1,2');
      await during(push, held);
      await expire();
      gate.release();
      await well(push);
      for (const tag of ['1', '2']) expect(await hashAt(`${place}:${tag}`)).toBe(hashOf(bytes));
    });

    it('pull', async () => {
      const { path, bytes } = await imageFile(20 * MIB);
      const place = `${USER}/life/stockpull`;
      await well(stock(program, 'library', 'push', app.url, path, place, 'amd64', '1'));
      const file = me.path('stockpull.sif');
      const held = gate.holdAfter('down', 5 * MIB);
      const pull = stock(program, 'library', 'pull', app.url, file, place, 'amd64', '1');
      await during(pull, held);
      await expire();
      gate.release();
      await well(pull);
      expect(hashOf(readFileSync(file))).toBe(hashOf(bytes));
    });
  });
});
