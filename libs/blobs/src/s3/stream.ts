import { GetObjectCommand } from '@aws-sdk/client-s3';
import { DomainError } from '#libs/core';
import type { Readable } from 'node:stream';
import { failureOf, isAbsent, isPassing } from './failures.js';
import { S3_LIMITS } from './limits.js';
import type { S3Space } from './space.js';

/** One object in one state: a store gives no bytes of another one. */
export interface S3Object {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
}

/**
 * Reads an object at any position. What is read one after the other comes from one answer of the store; when it breaks off,
 * the rest is asked for again. One call at a time.
 */
export class S3Stream {
  readonly object: S3Object;
  readonly #space: S3Space;
  /** The last byte that is wanted soon, where somebody has said so. */
  #end: number | undefined;
  #open: OpenAnswer | undefined;

  constructor(space: S3Space, object: S3Object) {
    this.#space = space;
    this.object = object;
  }

  /** Bytes behind `end` will not be read soon. */
  expect(end: number): void {
    this.#end = Math.min(end, this.object.size - 1);
  }

  /** Fills `target` from `position` on; fewer bytes only at the end. */
  async read(target: Buffer, position: number): Promise<number> {
    const length = Math.max(0, Math.min(target.length, this.object.size - position));
    let filled = 0;
    for (let attempt = 1; filled < length;) {
      try {
        const answer = await this.#at(position + filled, length - filled);
        const count = await answer.read(target.subarray(filled, length));
        if (count > 0) attempt = 1;
        filled += count;
        if (count === 0) throw Object.assign(new Error('The answer broke off'), { code: 'ECONNRESET' });
      } catch (error) {
        this.close();
        if (isAbsent(error) || failureOf(error).code === 'PreconditionFailed') throw vanished();
        if (!isPassing(error) || !(await this.#space.again(attempt))) throw this.#space.inWords(error);
        attempt += 1;
      }
    }
    return length;
  }

  close(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  async #at(position: number, length: number): Promise<OpenAnswer> {
    if (this.#open?.position === position) return this.#open;
    this.close();
    const last = position + length - 1;
    const { key, etag, size } = this.object;
    const soon = length <= S3_LIMITS.smallRead ? last : size - 1;
    const end = Math.max(last, this.#end ?? soon);
    const answer = await this.#space.send(
      new GetObjectCommand({ ...this.#space.at(key), Range: `bytes=${position}-${end}`, IfMatch: etag }),
      { known: ['PreconditionFailed'] },
    );
    if (answer.ContentRange !== `bytes ${position}-${end}/${size}`) {
      (answer.Body as Readable | undefined)?.destroy();
      throw new Error(
        `Expected bytes ${position}-${end}/${size} of ${key} from the object store, got ${answer.ContentRange ?? 'no range'}`,
      );
    }
    this.#open = new OpenAnswer(answer.Body as Readable, position);
    return this.#open;
  }
}

/** The body of one answer, taken in pieces of any size. */
class OpenAnswer {
  position: number;
  readonly #body: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(body: Readable, position: number) {
    this.position = position;
    this.#body = body;
    this.#chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Fills `target`; fewer bytes when the answer ends. */
  async read(target: Buffer): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const next = await this.#next();
        if (next === undefined) break;
        this.#rest = next;
      }
      const count = this.#rest.copy(target, filled);
      this.#rest = this.#rest.subarray(count);
      filled += count;
      this.position += count;
    }
    return filled;
  }

  close(): void {
    this.#body.on('error', () => undefined);
    this.#body.destroy();
  }

  async #next(): Promise<Buffer | undefined> {
    const timer = setTimeout(
      () =>
        this.#body.destroy(
          Object.assign(new Error('The object store has stopped sending'), { code: 'ETIMEDOUT' }),
        ),
      S3_LIMITS.idleTime,
    );
    try {
      const { done, value } = await this.#chunks.next();
      return done === true ? undefined : value;
    } finally {
      clearTimeout(timer);
    }
  }
}

function vanished(): DomainError {
  return new DomainError('unavailable', 'The blob was removed or replaced while it was read', {
    reason: 'blob_changed',
    remedy: 'Try again.',
  });
}
