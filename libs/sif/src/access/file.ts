import { close, constants, fstat, fsync, ftruncate, open, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { fileError } from '#libs/core';
import { sifError } from '../fault.js';
import type { RandomAccess } from './access.js';

const calls = {
  open: promisify(open),
  fstat: promisify(fstat),
  fsync: promisify(fsync),
  ftruncate: promisify(ftruncate),
  close: promisify(close),
  read: promisify(read),
  write: promisify(write),
};

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NONBLOCK, O_NOFOLLOW } = constants;

/** How a file is opened. `create` makes a new file and refuses one that exists. */
export type FileMode = 'read' | 'update' | 'create';

// O_NONBLOCK: opening a FIFO that was put in the image's place must not wait for a writer.
const FLAGS: Record<FileMode, number> = {
  read: O_RDONLY | O_NONBLOCK,
  update: O_RDWR | O_NONBLOCK,
  create: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
};

/** A file by its descriptor: it stays the same file whatever happens to its name. */
export class FileAccess implements RandomAccess {
  readonly #descriptor: number;
  readonly #owned: boolean;
  #size: number;

  private constructor(descriptor: number, size: number, owned: boolean) {
    this.#descriptor = descriptor;
    this.#size = size;
    this.#owned = owned;
  }

  /**
   * Opens a regular file. A new one gets `mode` without the bits of the umask (SIF contract §1.12).
   * @throws DomainError when it cannot be opened or is no regular file
   */
  static async open(path: string, how: FileMode, mode = 0o755): Promise<FileAccess> {
    const descriptor = await calls.open(path, FLAGS[how], mode).catch(asSentence);
    try {
      return await FileAccess.#make(descriptor, true);
    } catch (error) {
      await calls.close(descriptor);
      throw error;
    }
  }

  /** Uses a descriptor that somebody else opened and will close. @throws DomainError when it is no regular file */
  static fromDescriptor(descriptor: number): Promise<FileAccess> {
    return FileAccess.#make(descriptor, false);
  }

  static async #make(descriptor: number, owned: boolean): Promise<FileAccess> {
    const stat = await calls.fstat(descriptor);
    if (!stat.isFile()) throw sifError('sif_not_a_file', 'Expected a regular file for the image');
    return new FileAccess(descriptor, stat.size, owned);
  }

  get size(): number {
    return this.#size;
  }

  /** The descriptor itself, for handing the open file to somebody else. */
  get descriptor(): number {
    return this.#descriptor;
  }

  async readInto(into: Uint8Array, offset: number): Promise<number> {
    let count = 0;
    while (count < into.length) {
      const { bytesRead } = await calls.read(
        this.#descriptor,
        into,
        count,
        into.length - count,
        offset + count,
      );
      if (bytesRead === 0) break;
      count += bytesRead;
    }
    return count;
  }

  async write(data: Uint8Array, offset: number): Promise<void> {
    let count = 0;
    while (count < data.length) {
      const { bytesWritten } = await calls
        .write(this.#descriptor, data, count, data.length - count, offset + count)
        .catch(asSentence);
      count += bytesWritten;
      this.#size = Math.max(this.#size, offset + count);
    }
  }

  async truncate(size: number): Promise<void> {
    await calls.ftruncate(this.#descriptor, size).catch(asSentence);
    this.#size = size;
  }

  async sync(): Promise<void> {
    await calls.fsync(this.#descriptor).catch(asSentence);
  }

  /** Closes a file that this object opened; a foreign descriptor stays open. */
  async close(): Promise<void> {
    if (this.#owned) await calls.close(this.#descriptor);
  }
}

function asSentence(cause: unknown): never {
  throw fileError(cause) ?? cause;
}
