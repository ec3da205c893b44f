import { DomainError, expected } from '#libs/core';
import type { TemporaryBlob, TemporaryPiece } from './driver.js';
import { BLOB_LIMITS } from './limits.js';
import type { LiveHash } from './rollingHash.js';

export interface PartPlace {
  readonly start: number;
  readonly length: number;
}

/** What a part needs from its upload. */
export interface PartHost {
  readonly file: TemporaryBlob;
  readonly hash: LiveHash | undefined;
  readonly place: PartPlace;
  /** Called once when the part is over, whichever way. */
  release(): Promise<void>;
  /** Runs an operation of the driver with its failures in words. */
  run<T>(action: () => Promise<T>): Promise<T>;
}

/** Writes one part of an upload from its beginning to its end. It is over after `finish` or `cancel`. */
export class PartWriter {
  readonly #host: PartHost;
  readonly #piece: TemporaryPiece;
  readonly #stop = new AbortController();
  #written = 0;
  #flushed = 0;
  #flushing: Promise<void> | undefined;
  #busy: Promise<void> = Promise.resolve();
  #over: Promise<void> | undefined;

  constructor(host: PartHost) {
    this.#host = host;
    this.#piece = host.file.begin(host.place.start, host.place.length);
  }

  /** Aborts when the part is taken over by somebody else or its upload ends: whoever feeds it lets go of its source. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * Writes and hashes the next bytes. One call at a time; the chunks may be reused when it resolves.
   * After a failure the part is cancelled.
   * @throws DomainError `unprocessable` when the part would become longer than announced, `out_of_space`, `conflict` when it is over
   */
  async write(chunks: readonly Buffer[]): Promise<void> {
    this.#throwIfOver();
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const { place, hash } = this.#host;
    if (this.#written + bytes > place.length) {
      await this.cancel();
      throw wrongLength(place.length, `at least ${this.#written + bytes}`);
    }
    const writing = this.#host.run(() => this.#piece.write(chunks));
    this.#busy = writing.catch(() => undefined);
    // The disk works while the processor hashes the same chunks.
    hash?.update(chunks);
    try {
      await writing;
    } catch (error) {
      await this.cancel();
      throw error;
    }
    this.#written += bytes;
    this.#flushEarly();
  }

  /**
   * Ends the part: it survives a kill of this process. After a failure the part is cancelled.
   * @throws DomainError `unprocessable` when bytes are missing, `out_of_space`, `conflict` when it was taken over meanwhile
   */
  async finish(): Promise<void> {
    this.#throwIfOver();
    const { place, hash } = this.#host;
    if (this.#written !== place.length) {
      await this.cancel();
      throw wrongLength(place.length, this.#written);
    }
    const keeping = this.#host.run(() => this.#piece.keep());
    this.#busy = keeping.catch(() => undefined);
    try {
      await keeping;
    } catch (error) {
      await this.cancel();
      throw error;
    }
    this.#throwIfOver();
    hash?.keep();
    await this.#end();
  }

  /** Forgets the part: its place may be written again. Resolves when nothing of it is under way any more. Idempotent. */
  async cancel(): Promise<void> {
    if (this.#over) return this.#over;
    this.#host.hash?.revert();
    this.#stop.abort(superseded());
    await this.#end(() => this.#piece.drop());
  }

  #end(last: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.#over ??= (async () => {
      await this.#busy;
      await this.#flushing;
      // What cannot be removed now is left to the sweep.
      await last().catch(() => undefined);
      await this.#host.release();
    })();
    return this.#over;
  }

  #throwIfOver(): void {
    if (this.#over) throw superseded();
  }

  /** Lets the disk write back while more bytes arrive. Its failures come again with the flush that counts. */
  #flushEarly(): void {
    if (this.#flushing || this.#written - this.#flushed < BLOB_LIMITS.flushEvery) return;
    this.#flushed = this.#written;
    this.#flushing = this.#host.file.flush().then(
      () => (this.#flushing = undefined),
      () => (this.#flushing = undefined),
    );
  }
}

function superseded(): DomainError {
  return new DomainError('conflict', 'This part of the upload was sent again or the upload has ended', {
    reason: 'part_superseded',
  });
}

/** The error of bytes that are more or fewer than announced. */
export function wrongLength(wanted: number, got: number | string): DomainError {
  return new DomainError('unprocessable', expected(`${wanted} bytes`, 'the length of the upload', got), {
    reason: 'wrong_length',
  });
}
