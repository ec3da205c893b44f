import { setTimeout as wait } from 'node:timers/promises';
import {
  type DiskReserve,
  diskReserves,
  loadConfig,
  prepareHome,
  type ScsConfig,
  type ServerMessage,
} from '#libs/config';
import { SERVICE_NAMES, type ServiceName } from '#libs/contract';
import { DomainError, fileError, messageOf } from '#libs/core';
import { createServer, type RunningServer, type ServiceModule } from './create-server.js';
import { detailsOf } from './http/errors.filter.js';
import { LIMITS } from './limits.js';
import { createServingLog, type Logger } from './log.js';
import type { Readiness } from './readiness.js';

export interface ServeOptions {
  /** Names the process: its log file, and for a program of one service which one runs. */
  readonly name: string;
  /** The modules, or a function that finds those of the configured services. */
  readonly modules: readonly ServiceModule[] | ((config: ScsConfig) => Promise<readonly ServiceModule[]>);
}

/**
 * Runs a server process from start to end: settings, state folder, log, modules, port; then signals. SIGTERM, SIGINT and the loss
 * of the supervisor end it in order. What an operator can repair ends it with one sentence and status 1.
 */
export async function serve(options: ServeOptions): Promise<void> {
  process.umask(0o077);
  let log: Logger | undefined;
  try {
    const config = loadConfig(undefined, onlyService(options.name));
    prepareHome(config);
    log = createServingLog(options.name, config.logLevel, config.logFolder);
    for (const warning of config.warnings) log.warn(warning);
    const modules = typeof options.modules === 'function' ? await options.modules(config) : options.modules;
    const server = await createServer({ config, modules, log });
    endOnRequest(server, log);
    const failing = await untilReady(server.readiness);
    log.info({ failing, url: server.url, services: config.services, version: config.version }, 'Ready');
    tell({ type: 'ready', url: server.url, failing });
    const reserves = diskReserves(config);
    for (const reserve of reserves) reserve.renew();
    setInterval(tend, LIMITS.reserveInterval, reserves, log).unref();
  } catch (error) {
    log?.fatal({ error: detailsOf(error) }, messageOf(error));
    fail(error);
  }
}

/** Within moments of a full disk there is room again for whoever deletes. */
function tend(reserves: readonly DiskReserve[], log: Logger): void {
  for (const reserve of reserves) {
    if (reserve.makeRoom())
      log.error(
        { folder: reserve.folder },
        'The disk is full: the reserve there was given up, so that images can be deleted',
      );
    reserve.renew();
  }
}

function onlyService(name: string): readonly ServiceName[] | undefined {
  const found = SERVICE_NAMES.find((service) => service === name);
  return found === undefined ? undefined : [found];
}

/**
 * Whoever waits for the start wants to use the instance: it is told when everything works that was promised.
 * @returns the names of what still does not work after LIMITS.startTime; it may come later, so the process stays
 */
async function untilReady(readiness: Readiness): Promise<string[]> {
  const deadline = performance.now() + LIMITS.startTime;
  for (;;) {
    const { ready, checks } = await readiness.report();
    const failing = Object.keys(checks).filter((name) => checks[name] === 'failed');
    if (ready || performance.now() > deadline) return failing;
    await wait(100);
  }
}

function endOnRequest(server: RunningServer, log: Logger): void {
  let ending = false;
  const end = (why: string): void => {
    if (ending) process.exit(1);
    ending = true;
    log.info(`Stopping: ${why}`);
    server.close().then(
      () => {
        log.info('Stopped');
        process.exit(0);
      },
      (error: unknown) => {
        log.error({ error: detailsOf(error) }, 'Did not stop in order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => end('asked by SIGTERM'));
  process.on('SIGINT', () => end('asked by SIGINT'));
  process.on('disconnect', () => end('the supervisor is gone'));
  const crash = (error: unknown): void => {
    log.fatal({ error: detailsOf(error) }, `A bug: ${messageOf(error)}`);
    process.exit(1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}

function tell(message: ServerMessage): void {
  process.send?.(message);
}

function fail(error: unknown): void {
  // Files of the state folder are the operator's: a folder in the way or a missing permission is no bug.
  const known = error instanceof DomainError ? error : fileError(error);
  const message = known?.message ?? `A bug stopped the start: ${messageOf(error)}`;
  const remedy = known?.remedy;
  process.stderr.write(`${message}\n${remedy === undefined ? '' : `${remedy}\n`}`);
  const leave = (): never => process.exit(1);
  if (process.send === undefined) leave();
  else process.send({ type: 'failed', message, remedy } satisfies ServerMessage, leave);
}
