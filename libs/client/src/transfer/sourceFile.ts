import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffersPassed, type Digest, digestFromHex, DomainError, expected, messageOf } from '#libs/core';
import { TRANSFER } from './limits.js';

/** A file that is sent, perhaps several times: always the one that was opened, whatever happens to its name. */
export class SourceFile {
  readonly size: number;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #stamp: string;

  private constructor(path: string, handle: FileHandle, found: BigIntStats) {
    this.#path = path;
    this.#handle = handle;
    this.size = Number(found.size);
    this.#stamp = stampOf(found);
  }

  /** @throws DomainError `not_found` or `bad_request` when there is no file to send */
  static async open(path: string): Promise<SourceFile> {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw new DomainError('not_found', `Cannot read ${path}: ${messageOf(error)}`, {
        reason: 'file_unreadable',
        cause: error,
      });
    });
    const found = await handle.stat({ bigint: true });
    if (found.isFile() && found.size > 0n) return new SourceFile(path, handle, found);
    await handle.close();
    throw new DomainError('bad_request', expected('a file that is not empty', 'the image', path), {
      reason: 'no_file',
    });
  }

  /** SHA-256 of the file. @param onBytes told how many bytes were read since the last call */
  async digest(onBytes?: (count: number) => void, signal?: AbortSignal): Promise<Digest> {
    const hash = createHash('sha256');
    for await (const chunk of this.#chunks(0, this.size, signal)) {
      hash.update(chunk);
      onBytes?.(chunk.length);
    }
    return digestFromHex(hash.digest('hex'));
  }

  /** SHA-256 of a part, in hexadecimal. */
  async partHash(start: number, length: number, signal?: AbortSignal): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.#chunks(start, length, signal)) hash.update(chunk);
    return hash.digest('hex');
  }

  /** Exactly `length` bytes from `start` on. */
  stream(start: number, length: number, onBytes?: (count: number) => void): Readable {
    const chunks = this.#chunks(start, length);
    return Readable.from(counted(chunks, onBytes), { objectMode: false, highWaterMark: TRANSFER.batch });
  }

  /** @throws DomainError `conflict` when somebody has written to the file since it was opened */
  async requireUnchanged(): Promise<void> {
    if (stampOf(await this.#handle.stat({ bigint: true })) === this.#stamp) return;
    throw new DomainError('conflict', `${this.#path} was changed while it was sent`, {
      reason: 'file_changed',
      remedy: 'Push it again when nobody writes to it any more.',
    });
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Every chunk is a buffer of its own: whoever sends it may keep it for a while. */
  async *#chunks(start: number, length: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    for (let at = 0; at < length;) {
      signal?.throwIfAborted();
      const buffer = Buffer.allocUnsafeSlow(Math.min(TRANSFER.batch, length - at));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, start + at);
      if (bytesRead === 0)
        throw new DomainError('conflict', `${this.#path} became shorter while it was read`, {
          reason: 'file_changed',
        });
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
      buffersPassed(bytesRead);
    }
  }
}

/** Changes with every write. */
function stampOf({ size, mtimeNs }: BigIntStats): string {
  return `${size} ${mtimeNs}`;
}

async function* counted(chunks: AsyncIterable<Buffer>, onBytes: ((count: number) => void) | undefined) {
  for await (const chunk of chunks) {
    yield chunk;
    onBytes?.(chunk.length);
  }
}
