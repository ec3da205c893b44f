import { formatSize, type Bar, type Messages, type ProgressMaker, type Surroundings } from '#libs/cli';
import type { DownloadOptions, Retry } from '#libs/client';
import { DomainError, expected } from '#libs/core';

/** One bar after the other, for the phases of a transfer. */
export class PhaseBars<Phase extends string> {
  readonly #progress: ProgressMaker;
  readonly #labels: Readonly<Record<Phase, string>>;
  #phase: Phase | undefined;
  #bar: Bar | undefined;

  constructor(progress: ProgressMaker, labels: Readonly<Record<Phase, string>>) {
    this.#progress = progress;
    this.#labels = labels;
  }

  readonly update = (now: { phase: Phase; done: number; total: number }): void => {
    if (now.phase !== this.#phase) {
      this.stop();
      this.#bar = this.#progress.bytes(this.#labels[now.phase], now.total);
      this.#phase = now.phase;
    }
    this.#bar?.update(now.done, now.total);
  };

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#phase = undefined;
  }
}

/** Several connections that break at once are one thing to tell. */
const SAME = 1000;

/** Says what went wrong on the way and what happens next. */
export function tellingRetries(log: Messages): (error: DomainError, retry: Retry) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (error, { failures, attempts, pause }) => {
    const now = performance.now();
    const again = `${error.message}; trying again in ${(pause / 1000).toFixed(pause < 10_000 ? 1 : 0)} s (${failures + 1} of ${attempts})`;
    if (now - last < SAME) log.verbose(again);
    else log.warning(again);
    last = now;
  };
}

/** Says that the same command does not begin at the beginning. @param where of the bytes, for example `are kept` */
export function tellKept(log: Messages, bytes: number, total: number, where: string): void {
  log.info(`${formatSize(bytes)} of ${formatSize(total)} ${where}: the same command goes on from there.`);
}

export interface Target {
  readonly path: string;
  readonly overwrite: boolean;
}

/** Runs a download with a bar and all that is told on the way, whatever it comes from. @param size bytes */
export async function receiving<T>(
  { log, progress, signal, env }: Pick<Surroundings, 'log' | 'progress' | 'signal' | 'env'>,
  size: number,
  { path, overwrite }: Target,
  work: (
    options: Pick<
      DownloadOptions,
      'destination' | 'overwrite' | 'mode' | 'connections' | 'signal' | 'onProgress' | 'onRetry' | 'onKept'
    >,
  ) => Promise<T>,
): Promise<T> {
  const bars = new PhaseBars(progress, { receiving: 'Downloading', checking: 'Checking' });
  try {
    return await work({
      destination: path,
      overwrite,
      mode: programMode(),
      connections: connectionsOf({ env }),
      signal,
      onProgress: bars.update,
      onRetry: tellingRetries(log),
      onKept: (bytes) => tellKept(log, bytes, size, 'are kept'),
    });
  } finally {
    bars.stop();
  }
}

/** "result mode 0777 & ~umask" (runtime contract §1.6): images can be started by their name. */
export function programMode(): number {
  return 0o777 & ~process.umask();
}

/** As many connections as anybody needs. */
const CONNECTIONS = 32;

/** `SINGULARITY_DOWNLOAD_CONCURRENCY`: ranges that are fetched at once (library contract §6.2); undefined when nobody said. */
function connectionsOf({ env }: Pick<Surroundings, 'env'>): number | undefined {
  const setting = env.setting('DOWNLOAD_CONCURRENCY');
  if (setting === undefined) return undefined;
  const count = Number(setting.value);
  if (/^\d{1,2}$/.test(setting.value) && count >= 1 && count <= CONNECTIONS) return count;
  throw new DomainError('bad_request', expected(`1 to ${CONNECTIONS}`, setting.name, setting.value), {
    reason: 'invalid_setting',
    exitCode: 1,
  });
}
