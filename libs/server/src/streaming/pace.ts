import { STREAM_LIMITS } from './limits.js';

/** How a client takes what it is sent: `quick` when it took the last megabyte quickly, `slow` since a pause. */
export type Pace = 'new' | 'quick' | 'slow';

/** Watches over the pace of one connection. */
export class PaceWatch {
  #pace: Pace = 'new';
  #taken = 0;
  #waited = 0;

  get pace(): Pace {
    return this.#pace;
  }

  /** @param milliseconds until the client, or a buffer of the system on its behalf, had taken the bytes */
  note(bytes: number, milliseconds: number): void {
    const { slowWrite, quickBytes, quickTime } = STREAM_LIMITS;
    const paused = milliseconds > slowWrite;
    this.#taken += bytes;
    this.#waited += milliseconds;
    if (!paused && this.#taken < quickBytes) return;
    if (paused) this.#pace = 'slow';
    else this.#pace = this.#waited <= quickTime ? 'quick' : 'new';
    this.#taken = 0;
    this.#waited = 0;
  }
}

const watches = new WeakMap<object, PaceWatch>();

/** The watch of a connection, for all downloads over it. */
export function paceOf(connection: object): PaceWatch {
  const known = watches.get(connection);
  if (known !== undefined) return known;
  const watch = new PaceWatch();
  watches.set(connection, watch);
  return watch;
}
