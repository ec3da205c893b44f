import type { ServerResponse } from 'node:http';
import { type Pace, paceOf, type PaceWatch } from './pace.js';
import { fitUnsent } from './unsent.js';

/** Writes to one client, one buffer at a time: what waited behind it would be copied together by the stream. */
export class Outlet {
  readonly #response: ServerResponse;
  readonly #watch: PaceWatch;
  #closed: boolean;
  #settle: ((taken: boolean) => void) | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#watch = paceOf(response.socket ?? response);
    this.#closed = response.closed;
    // The callback of a write to a connection that breaks is not called in every case; `close` is.
    response.once('close', this.#onClose);
  }

  get pace(): Pace {
    return this.#watch.pace;
  }

  /** Whether the client has gone. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a buffer is on its way: the system took it neither at once nor since then. */
  get busy(): boolean {
    return this.#settle !== undefined;
  }

  /** Resolves when the bytes have left the buffer: true, or false when the client has gone. Never rejects. */
  write(bytes: Buffer): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    const begin = performance.now();
    return new Promise((resolve) => {
      this.#settle = (taken) => {
        this.#settle = undefined;
        if (taken) this.#note(bytes.length, performance.now() - begin);
        resolve(taken);
      };
      this.#response.write(bytes, (error) => {
        if (error) this.#closed = true;
        this.#settle?.(!error);
      });
    });
  }

  /** Nothing is written any more. */
  release(): void {
    this.#response.off('close', this.#onClose);
  }

  #note(bytes: number, milliseconds: number): void {
    const before = this.pace;
    this.#watch.note(bytes, milliseconds);
    const { socket } = this.#response;
    if (this.pace !== before && socket !== null) fitUnsent(socket, this.pace);
  }

  readonly #onClose = (): void => {
    this.#closed = true;
    this.#settle?.(false);
  };
}
