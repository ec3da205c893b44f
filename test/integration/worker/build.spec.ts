import { readFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuthModule } from '#apps/auth/src/auth.module';
import { BuilderModule } from '#apps/builder/src/builder.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { WorkerModule } from '#apps/worker/src/worker.module';
import { packContext } from '#libs/build';
import { BuilderClient, HttpClient, LibraryClient, pullImage } from '#libs/client';
import { parseDefinition } from '#libs/deffile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

/** A root with one static program that is shell and tools: what `%post` needs. */
const BASE = 'bootstrap: scratch\n%files\n/bin/busybox /bin/busybox\n/bin/busybox /bin/sh\n';
const POST = '%post\n/bin/busybox --install -s /bin\n';

describe('a remote build', () => {
  let app: StartedApp;
  let redis: RedisServer;
  let folder: string;
  let builder: BuilderClient;
  let library: LibraryClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'remote-build-'));
    redis = await startRedis();
    app = await startApp({
      modules: [AuthModule, LibraryModule, BuilderModule, WorkerModule],
      env: { SCS_SERVICES: 'auth,library,builder,worker', SCS_REDIS_URL: redis.url },
    });
    const token = (await readFile(join(app.home, 'admin.token'), 'utf8')).trim();
    const http = new HttpClient({ baseUrl: app.url, token, userAgent: 'test', ca: app.ca });
    builder = new BuilderClient(http);
    library = new LibraryClient(http);
  });
  afterAll(async () => {
    await app.stop();
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  let contexts = 0;
  async function submit(text: string, libraryRef = ''): Promise<string> {
    contexts += 1;
    const context = await packContext({
      definition: parseDefinition(text),
      workingDirectory: folder,
      output: join(folder, `context-${contexts}.tar.gz`),
      signal: undefined,
    });
    if (context !== undefined) await builder.uploadContext(context);
    const build = await builder.submit({
      definitionRaw: Buffer.from(text).toString('base64'),
      libraryRef,
      workingDir: folder,
      ...(context !== undefined && { contextDigest: context.digest }),
    });
    return build.id;
  }

  async function logOf(id: string, onText?: (text: string) => void): Promise<string> {
    let log = '';
    await builder.followLog(id, {
      onText: (text) => {
        log += text;
        onText?.(log);
      },
    });
    return log;
  }

  /** Processes of this machine whose command line holds a text. */
  async function processesWith(text: string): Promise<string[]> {
    const lines = await Promise.all(
      (await readdir('/proc'))
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
    );
    return lines.filter((line) => line.includes(text));
  }

  const leftovers = () => readdir(join(app.config.dataFolder('worker'), 'jobs'));

  it('becomes an image in the library, with a live log and a checksum', async () => {
    await writeFile(join(folder, 'hello'), 'hello\n');
    const id = await submit(
      `${BASE}hello /hello\n${POST}echo from post > /made\n%labels\nA b\n`,
      'library://admin/demo/built:1,2',
    );
    const log = await logOf(id);
    expect(log).toContain('+ line 7: ');
    const status = await builder.status(id);
    expect(status).toMatchObject({
      status: 'Complete',
      isComplete: true,
      libraryRef: 'library://admin/demo/built:1,2',
    });
    for (const tag of ['1', '2']) {
      const image = await library.image({ path: 'admin/demo/built', tag, arch: status.arch });
      expect(image).toMatchObject({ hash: status.imageChecksum, size: status.imageSize, uploaded: true });
      const destination = join(folder, `image-${tag}.sif`);
      await pullImage(library, { image, path: 'admin/demo/built', destination });
      const bytes = await readFile(destination);
      expect(`sha256.${createHash('sha256').update(bytes).digest('hex')}`).toBe(status.imageChecksum);
    }
    expect(await leftovers()).toEqual([]);
  });

  it('builds on an image of the library', async () => {
    await logOf(await submit(`${BASE}${POST}`, 'library://admin/demo/base:1'));
    const id = await submit('bootstrap: library\nfrom: admin/demo/base:1\n%post\ntest -x /bin/busybox\n');
    expect(await logOf(id)).toContain('Pulling the base admin/demo/base:1');
    expect(await builder.status(id)).toMatchObject({
      isComplete: true,
      libraryRef: `library://admin/remote-builds/rb-${id}:latest`,
    });
    expect((await builder.status(id)).imageSize).toBeGreaterThan(0);
  });

  it('that fails says step, line and exit status, and leaves nothing', async () => {
    const id = await submit(`${BASE}${POST}(sleep 98765 &)\ntrue\nexit 7\n`);
    const log = await logOf(id);
    expect(log).toContain('while running %post at line 9 of the definition: exit status 7');
    const status = await builder.status(id);
    expect(status.imageSize).toBeUndefined();
    expect(status.failureReason).toContain('exit status 7');
    expect(await processesWith('98765')).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });

  it('runs as nobody of this machine and sees nothing of it', async () => {
    const id = await submit(
      `${BASE}${POST}cat /proc/self/uid_map /proc/1/cmdline\nls -d ${app.home} || echo hidden\nls /proc | grep -c '^[0-9]'\n`,
    );
    const log = await logOf(id);
    expect(log).toContain('hidden');
    // The host's root is nowhere in the map.
    expect(log).not.toMatch(/^ +0 +0 /m);
  });

  it('that is cancelled ends at once, with every process of it', async () => {
    const id = await submit(`${BASE}${POST}sleep 87654\n`);
    let cancelled: Promise<void> | undefined;
    const log = await logOf(id, (text) => {
      if (text.includes('sleep 87654')) cancelled ??= builder.cancel(id);
    });
    await cancelled;
    expect(log).toContain('Build cancelled.');
    await expect.poll(() => processesWith('87654'), { timeout: 5000 }).toEqual([]);
    await expect.poll(leftovers, { timeout: 5000 }).toEqual([]);
    expect((await builder.status(id)).status).toBe('Cancelled');
  });

  it.each([
    ['a missing source', 'bootstrap: library\nfrom: admin/demo/nothing:9\n', 'does not exist in the library'],
    ['a %test that fails', `${BASE}${POST}%test\nexit 3\n`, 'failed to execute %test script: exit status 3'],
    ['no shell for %post', 'bootstrap: scratch\n%post\ntrue\n', '%post needs /bin/sh'],
  ])('with %s fails with the reason', async (_, text, reason) => {
    expect(await logOf(await submit(text))).toContain(reason);
  });
});
