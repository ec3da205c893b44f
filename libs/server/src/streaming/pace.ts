import { STREAM_LIMITS } from './limits.js';

/** How a client takes what it is sent: `quick` once it has taken a lot without a pause, `slow` since its last pause. */
export type Pace = 'new' | 'quick' | 'slow';

/** Watches over the pace of one connection. */
export class PaceWatch {
  #pace: Pace = 'new';
  #taken = 0;

  get pace(): Pace {
    return this.#pace;
  }

  /** @param milliseconds until the client, or a buffer of the system on its behalf, had taken the bytes */
  note(bytes: number, milliseconds: number): void {
    if (milliseconds > STREAM_LIMITS.slowWrite) {
      this.#pace = 'slow';
      this.#taken = 0;
      return;
    }
    this.#taken += bytes;
    if (this.#taken >= STREAM_LIMITS.quickBytes) this.#pace = 'quick';
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
