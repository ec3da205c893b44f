import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { loadConfig, prepareHome, type ScsConfig, type ServerMessage } from '#libs/config';
import { DomainError, messageOf } from '#libs/core';
import { buildOf } from './build.js';
import { Child, type ChildPlan } from './child.js';
import { listenForControl } from './control.js';
import { endpointOf, removeEndpoint, writeEndpoint } from './endpoint.js';
import { SupervisorLog } from './log.js';
import { endLeftovers, writeChildren, type ProcessIdentity } from './processes.js';
import { asError, failed, tellParent } from './messages.js';
import { prepareRedis, type OwnRedis } from './redis.js';
import { SERVER_FLAGS } from './serverFlags.js';
import { summary } from './summary.js';

/**
 * Keeps an instance running in this process until it is asked to stop: Redis where the builder needs one, then the server.
 * The caller holds the instance's lock. Tells its parent (over IPC, if there is a channel) when everything works, or why not.
 * @param foreground whether a person or a process manager reads stderr
 */
export async function run(env: NodeJS.ProcessEnv, foreground: boolean): Promise<void> {
  const config = loadConfig(env);
  prepareHome(config);
  const log = new SupervisorLog(config, foreground);
  const instance = new Instance(config, env, log);
  try {
    await instance.start();
  } catch (error) {
    log.error(`Not started: ${messageOf(error)}`);
    await instance.stop();
    tellParent(failed(error));
    process.exitCode = 1;
    return;
  }
  if (foreground) process.stdout.write(summary(config, instance.notes));
  tellParent({ type: 'ready', url: config.publicUrl, failing: instance.failing });
  process.exitCode = await instance.ended;
}

class Instance {
  readonly #config: ScsConfig;
  readonly #env: NodeJS.ProcessEnv;
  readonly #log: SupervisorLog;
  readonly #build: string;
  readonly #children: Child[] = [];
  readonly #alive: Record<string, ProcessIdentity> = {};
  readonly #end = Promise.withResolvers<number>();
  readonly notes: string[] = [];
  /** What the server said does not work yet. */
  failing: readonly string[] = [];
  #running = false;
  #stopping: Promise<void> | undefined;
  #control: { close(): void } | undefined;

  constructor(config: ScsConfig, env: NodeJS.ProcessEnv, log: SupervisorLog) {
    this.#config = config;
    this.#env = env;
    this.#log = log;
    this.#build = buildOf(config);
  }

  /** Resolves with the exit status when the instance has ended. */
  get ended(): Promise<number> {
    return this.#end.promise;
  }

  async start(): Promise<void> {
    const left = await endLeftovers(this.#config.runFolder);
    if (left.length > 0) this.#log.info(`Ended what a killed supervisor left behind: ${left.join(', ')}`);
    removeEndpoint(this.#config);
    for (const name of ['SIGTERM', 'SIGINT'] as const)
      process.on(name, () => void this.#finish(`asked by ${name}`, 0));
    // A closed terminal is no reason to stop a service.
    process.on('SIGHUP', () => this.#log.info('Ignored SIGHUP'));
    this.#control = await listenForControl(this.#config, {
      status: () =>
        this.#running
          ? {
              state: 'running',
              endpoint: endpointOf(this.#config, process.pid),
              notes: this.notes,
              build: this.#build,
            }
          : { state: 'starting', pid: process.pid },
      stop: () => void this.#finish('asked by scripts/down', 0),
    });
    const redis = this.#ownRedis();
    if (redis !== undefined) await this.#startChild(redis.plan);
    await this.#startChild(
      serverPlan(this.#config, this.#env, redis, (failing) => {
        this.failing = failing;
      }),
    );
    if (this.#stopping !== undefined) throw new DomainError('unavailable', 'Asked to stop while starting');
    writeEndpoint(this.#config, endpointOf(this.#config, process.pid));
    this.#running = true;
  }

  /** Stops the children, the last one started first. */
  async stop(): Promise<void> {
    this.#running = false;
    removeEndpoint(this.#config);
    for (const child of this.#children) child.expectEnd();
    for (const child of this.#children.toReversed()) await child.stop();
    this.#control?.close();
  }

  /** Redis is started only where jobs are handled and no other one was named. */
  #ownRedis(): OwnRedis | undefined {
    const needed = this.#config.runs('builder') || this.#config.runs('worker');
    if (!needed || this.#config.redisUrl !== undefined) return undefined;
    const redis = prepareRedis(this.#config, this.#env);
    if (redis === undefined)
      this.notes.push(
        'Remote builds are off: redis-server is missing (Debian, Ubuntu: apt-get install redis-server)',
      );
    return redis;
  }

  async #startChild(plan: ChildPlan): Promise<void> {
    if (this.#stopping !== undefined) throw new DomainError('unavailable', 'Asked to stop while starting');
    const child = new Child(plan, {
      log: this.#log,
      onChange: (name, identity) => this.#note(name, identity),
      onGivenUp: (error) => void this.#finish(`${error.message}; the instance stops`, 1),
    });
    this.#children.push(child);
    await child.start();
  }

  #note(name: string, identity: ProcessIdentity | undefined): void {
    if (identity === undefined) Reflect.deleteProperty(this.#alive, name);
    else this.#alive[name] = identity;
    if (!writeChildren(this.#config.runFolder, this.#alive))
      this.#log.error(`Which programs run could not be noted in ${this.#config.runFolder}`);
  }

  #finish(why: string, status: number): Promise<void> {
    this.#stopping ??= (async () => {
      this.#log.info(`Stopping: ${why}`);
      await this.stop();
      this.#log.info('Stopped');
      this.#end.resolve(status);
      process.exit(status);
    })();
    return this.#stopping;
  }
}

function serverPlan(
  config: ScsConfig,
  env: NodeJS.ProcessEnv,
  redis: OwnRedis | undefined,
  onReady: (failing: readonly string[]) => void,
): ChildPlan {
  return {
    name: 'server',
    command: [
      process.execPath,
      ...SERVER_FLAGS,
      join(config.installFolder, 'dist/apps/all-in-one/src/main.js'),
    ],
    env: {
      ...env,
      SCS_HOME: config.home,
      ...(redis === undefined ? {} : { SCS_REDIS_URL_FILE: redis.urlFile }),
    },
    ipc: true,
    ready: async (child) => onReady(await untilServerIsReady(child)),
  };
}

function untilServerIsReady(child: ChildProcess): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: ServerMessage) => {
      if (message.type === 'ready') resolve(message.failing);
      else reject(asError(message));
    });
  });
}
