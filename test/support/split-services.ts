import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { ServerMessage } from '#libs/config';
import { SERVICE_NAMES, type ServiceName } from '#libs/contract';
import { makeCertificate } from './certificates.js';
import { freePort } from './ports.js';
import { Recorder } from './recorder.js';
import { startRedis, type RedisServer } from './redis.js';
import { temporaryFolder } from './temporary.js';
import { CHECKOUT } from './up.js';

const DAY = 24 * 60 * 60 * 1000;

const READY = { interval: 200, timeout: 60_000 };

/** Nobody asks a service that has ended, which would have it in no log: the library goes on asking the keystore, and all ask auth. */
const ASKERS_FIRST: readonly ServiceName[] = ['worker', 'builder', 'library', 'web', 'keystore', 'auth'];

/** A line of a service's log about a request that it answered. */
interface AccessLine {
  readonly msg: string;
  readonly method: string;
  readonly url: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly home: string;
}

/**
 * Every service in a process, a state folder and a database of its own, as on machines of their own: what they are told of each
 * other is addresses, and each address is a door of the recorder. Runs what `npm run build` made.
 */
export class SplitServices {
  readonly #running = new Map<ServiceName, Running>();

  private constructor(
    readonly recorder: Recorder,
    /** File of the certificate that all of them show, and that clients trust. */
    readonly caFile: string,
    private readonly folder: Awaited<ReturnType<typeof temporaryFolder>>,
    private readonly redis: RedisServer,
  ) {}

  static async start(): Promise<SplitServices> {
    const [folder, redis] = await Promise.all([temporaryFolder(), startRedis()]);
    const certificate = await makeCertificate(new Date(Date.now() - DAY), new Date(Date.now() + DAY));
    const caFile = join(folder.path, 'cert.pem');
    writeFileSync(caFile, certificate.cert);
    writeFileSync(join(folder.path, 'key.pem'), certificate.key, { mode: 0o600 });
    const recorder = await Recorder.start(SERVICE_NAMES, certificate);
    const services = new SplitServices(recorder, caFile, folder, redis);
    try {
      await services.#run('auth');
      await Promise.all(
        (['keystore', 'library', 'builder', 'web'] as const).map((name) => services.#run(name)),
      );
      await services.#run('worker');
      // As the operator of several machines does: public keys of services go to those that check their proofs.
      services.#introduce('builder', 'auth');
      services.#introduce('worker', 'builder');
      return services;
    } catch (error) {
      await services.stop();
      throw error;
    }
  }

  /** The state folder of a service. */
  homeOf(name: ServiceName): string {
    return join(this.folder.path, name);
  }

  /** The token of the administrator. */
  get admin(): string {
    return readFileSync(join(this.homeOf('auth'), 'admin.token'), 'utf8').trim();
  }

  /** Ends the processes in order, so that their logs are whole; their folders stay until {@link stop}. */
  async end(): Promise<void> {
    for (const name of ASKERS_FIRST) {
      const child = this.#running.get(name)?.child;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      // What was sent to it before is answered, and in its log.
      await this.recorder.settled();
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    this.#running.clear();
  }

  /** How often a service says that it answered each request: `GET /version` → 3. Whole after {@link end}. */
  answeredBy(name: ServiceName): Record<string, number> {
    const text = readFileSync(join(this.homeOf(name), 'log', `${name}.log`), 'utf8');
    const counts: Record<string, number> = {};
    for (const line of text.trimEnd().split('\n')) {
      const { msg, method, url } = JSON.parse(line) as AccessLine;
      if (msg !== 'request') continue;
      const key = `${method} ${url.split('?', 1)[0]}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  }

  /** Ends everything and removes all that it has left. */
  async stop(): Promise<void> {
    await this.end();
    await this.recorder.close();
    await this.redis.stop();
    await this.folder.remove();
  }

  async #run(name: ServiceName): Promise<void> {
    const main = join(CHECKOUT, `dist/apps/${name}/src/main.js`);
    if (!existsSync(main)) throw new Error('Expected dist/, which is missing: run npm run build');
    const [home, port] = [this.homeOf(name), await freePort()];
    const child = spawn(process.execPath, [main], {
      env: this.#settings(name, home, port),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#running.set(name, { child, home });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    // It may have to ask others before it is ready.
    if (child.pid !== undefined) this.recorder.register(name, { pid: child.pid, port });
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${name} ended: ${said}`);
    });
    const ready = once(child, 'message').then(([message]) => message as ServerMessage);
    const message = await Promise.race([ready, ended]);
    ended.catch(() => undefined);
    if (message.type !== 'ready') throw new Error(`${name} did not start: ${JSON.stringify(message)}`);
    // What it asks of others may come later than its start waits for it, on a busy machine.
    if (message.failing.length > 0) await this.#ready(name);
  }

  /** Asks as everybody does who is counted by the recorder. */
  async #ready(name: ServiceName): Promise<void> {
    const asking = { to: name, method: 'GET', target: '/readyz', headers: {}, body: Buffer.alloc(0) };
    await vi.waitFor(async () => {
      const { status, body } = await this.recorder.replay(asking);
      if (status !== 200) throw new Error(`${name} is not ready: ${body}`);
    }, READY);
  }

  #settings(name: ServiceName, home: string, port: number): Record<string, string> {
    const urls = (['auth', 'keystore', 'library', 'builder'] as const).map(
      (service) => [`SCS_${service.toUpperCase()}_URL`, this.recorder.url(service)] as const,
    );
    return {
      PATH: process.env['PATH'] ?? '',
      SCS_HOME: home,
      SCS_PORT: String(port),
      SCS_PUBLIC_URL: this.recorder.url(name),
      ...Object.fromEntries(urls),
      SCS_TLS_CERT_FILE: this.caFile,
      SCS_TLS_KEY_FILE: join(this.folder.path, 'key.pem'),
      SCS_TLS_CA_FILE: this.caFile,
      SCS_REDIS_URL: this.redis.url,
      // What machines ask every second is logged too.
      SCS_LOG_LEVEL: 'debug',
    };
  }

  #introduce(service: ServiceName, to: ServiceName): void {
    const file = (name: ServiceName): string => join(this.homeOf(name), 'service-keys', `${service}.json`);
    mkdirSync(join(this.homeOf(to), 'service-keys'), { recursive: true });
    copyFileSync(file(service), file(to));
  }
}
