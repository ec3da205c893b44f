import { DomainError, expected } from '#libs/core';
import { Sealed } from './sealed.js';

/** A place in the feed, and when it was told. */
export interface Cursor {
  /** The number of the last event that was read. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

const BYTES = 16;

/**
 * Places in the feed as clients get them: sealed, because the numbers count what strangers must not know of, and another one each
 * time, so that two of them do not even tell whether anything was in between.
 */
export class EventCursors {
  readonly #sealed: Sealed;

  constructor(secret: Buffer) {
    this.#sealed = new Sealed(secret, 'library events');
  }

  write({ sequence, time }: Cursor): string {
    const bytes = Buffer.alloc(BYTES);
    bytes.writeBigUInt64BE(BigInt(sequence));
    bytes.writeBigUInt64BE(BigInt(time), BYTES / 2);
    return this.#sealed.seal(bytes);
  }

  /** @throws DomainError `bad_request` for what is none of ours */
  read(text: string): Cursor {
    const bytes = this.#sealed.open(text);
    if (bytes?.length !== BYTES)
      throw new DomainError('bad_request', expected('an id that this stream gave', 'Last-Event-ID', text), {
        reason: 'invalid_cursor',
        remedy: 'Begin without one, and look at everything again.',
      });
    return {
      sequence: Number(bytes.readBigUInt64BE()),
      time: Number(bytes.readBigUInt64BE(BYTES / 2)),
    };
  }
}
