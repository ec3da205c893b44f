import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { AuthModule } from '#apps/auth/src/auth.module';
import { BuilderModule } from '#apps/builder/src/builder.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { WorkerModule } from '#apps/worker/src/worker.module';
import { packContext } from '#libs/build';
import { BuilderClient, type BuildContext, HttpClient, LibraryClient } from '#libs/client';
import { digestFromHex } from '#libs/core';
import { parseDefinition } from '#libs/deffile';
import { type StartedApp, startApp } from './app.js';
import { type RedisServer, startRedis } from './redis.js';
import { temporaryFolder } from './temporary.js';

/** A root with one static program that is shell and tools: what `%post` needs. */
export const BASE = 'bootstrap: scratch\n%files\n/bin/busybox /bin/busybox\n/bin/busybox /bin/sh\n';
export const POST = '%post\n/bin/busybox --install -s /bin\n';

type Place = Awaited<ReturnType<typeof temporaryFolder>>;

/** An instance with library, builder and worker, and an administrator's clients of it. */
export class RemoteBuilds {
  #contexts = 0;

  private constructor(
    readonly app: StartedApp,
    readonly redis: RedisServer,
    readonly builder: BuilderClient,
    readonly library: LibraryClient,
    private readonly place: Place,
  ) {}

  static async start(): Promise<RemoteBuilds> {
    const [place, redis] = await Promise.all([temporaryFolder(), startRedis()]);
    return RemoteBuilds.#begin(place, redis);
  }

  static async #begin(place: Place, redis: RedisServer): Promise<RemoteBuilds> {
    const home = join(place.path, 'home');
    await mkdir(home, { recursive: true, mode: 0o700 });
    const app = await startApp({
      modules: [AuthModule, LibraryModule, BuilderModule, WorkerModule],
      env: { SCS_SERVICES: 'auth,library,builder,worker', SCS_REDIS_URL: redis.url },
      home,
    });
    const token = (await readFile(join(app.home, 'admin.token'), 'utf8')).trim();
    const http = new HttpClient({ baseUrl: app.url, token, userAgent: 'test', ca: app.ca });
    return new RemoteBuilds(app, redis, new BuilderClient(http), new LibraryClient(http), place);
  }

  /** Stops the instance in order and starts it again on its data. This one is of no use afterwards. */
  async restart(): Promise<RemoteBuilds> {
    await this.app.stop();
    return RemoteBuilds.#begin(this.place, this.redis);
  }

  /** Where relative sources of `%files` are. */
  get folder(): string {
    return this.place.path;
  }

  /** Sends what `%files` names, as a client does, and hands the definition in. Answers with the id. */
  async submit(text: string, libraryRef = ''): Promise<string> {
    this.#contexts += 1;
    const context = await packContext({
      definition: parseDefinition(text),
      workingDirectory: this.folder,
      output: join(this.folder, `context-${this.#contexts}.tar.gz`),
      signal: undefined,
    });
    return this.submitWith(text, context, libraryRef);
  }

  async submitWith(text: string, context: BuildContext | undefined, libraryRef = ''): Promise<string> {
    if (context !== undefined) await this.builder.uploadContext(context);
    const build = await this.builder.submit({
      definitionRaw: Buffer.from(text).toString('base64'),
      libraryRef,
      workingDir: this.folder,
      ...(context !== undefined && { contextDigest: context.digest }),
    });
    return build.id;
  }

  async logOf(id: string, onText?: (text: string) => void): Promise<string> {
    let log = '';
    await this.builder.followLog(id, {
      onText: (text) => {
        log += text;
        onText?.(log);
      },
    });
    return log;
  }

  /** What builds have left in the folder in which the worker does them. */
  async leftovers(): Promise<string[]> {
    const jobs = join(this.app.config.dataFolder('worker'), 'jobs');
    const workers = (await readdir(jobs)).filter((name) => !name.includes('.'));
    return (await Promise.all(workers.map((name) => readdir(join(jobs, name))))).flat();
  }

  async stop(): Promise<void> {
    await this.app.stop();
    await this.redis.stop();
    await this.place.remove();
  }
}

/** A build context of these entries, as an honest client would never make it. */
export async function contextOf(
  entries: readonly (Partial<Header> & { readonly name: string } & { readonly content?: string | Buffer })[],
): Promise<BuildContext> {
  const tar = pack();
  for (const { content = '', ...header } of entries) tar.entry(header, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const bytes = gzipSync(Buffer.concat(chunks));
  const digest = digestFromHex(createHash('sha256').update(bytes).digest('hex'));
  return { size: bytes.length, digest, open: () => Readable.from([bytes]) };
}

/** Processes of this machine whose command line holds a text. */
export async function processesWith(text: string): Promise<string[]> {
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
  );
  return lines.filter((line) => line.includes(text));
}
