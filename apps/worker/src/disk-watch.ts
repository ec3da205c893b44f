import { statfs } from 'node:fs/promises';
import { LIMITS } from './limits.js';

export interface DiskLimits {
  readonly diskReserve: number;
  /** Milliseconds. */
  readonly diskInterval: number;
}

/** What a build leaves free on its disk was used up, by this build or by others. */
export class DiskFull extends Error {
  override readonly name = 'DiskFull';

  constructor(readonly reserve: number) {
    super(`Less than ${reserve} bytes are free`);
  }
}

/**
 * Looks at the free space of a folder's disk while a build runs: a build that fills the disk is stopped before the services that share it can store nothing
 * any more.
 */
export class DiskWatch {
  readonly #timer: NodeJS.Timeout;

  private constructor(
    private readonly folder: string,
    private readonly limits: DiskLimits,
    private readonly onFull: (why: DiskFull) => void,
  ) {
    this.#timer = setInterval(() => void this.#look(), limits.diskInterval);
  }

  /** @param onFull called when there is too little, perhaps several times */
  static start(folder: string, onFull: (why: DiskFull) => void, limits: DiskLimits = LIMITS): DiskWatch {
    return new DiskWatch(folder, limits, onFull);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // A disk that does not answer says nothing about its space.
    const found = await statfs(this.folder).catch(() => undefined);
    if (found === undefined || found.bavail * found.bsize >= this.limits.diskReserve) return;
    this.onFull(new DiskFull(this.limits.diskReserve));
  }
}
