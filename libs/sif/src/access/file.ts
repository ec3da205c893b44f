import { close, constants, fstat, fsync, ftruncate, open, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { DomainError, systemCode, type ErrorCode } from '#libs/core';
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
   * Opens a regular file. New files get mode 0777 & ~umask of `mode` (0755 by default, SIF contract §1.12).
   * @throws DomainError when it cannot be opened or is no regular file
   */
  static async open(path: string, how: FileMode, mode = 0o755): Promise<FileAccess> {
    let descriptor: number;
    try {
      descriptor = await calls.open(path, FLAGS[how], mode);
    } catch (error) {
      throw openError(path, error);
    }
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
        .catch(storageError);
      count += bytesWritten;
      this.#size = Math.max(this.#size, offset + count);
    }
  }

  async truncate(size: number): Promise<void> {
    await calls.ftruncate(this.#descriptor, size).catch(storageError);
    this.#size = size;
  }

  async sync(): Promise<void> {
    await calls.fsync(this.#descriptor).catch(storageError);
  }

  /** Closes a file that this object opened; a foreign descriptor stays open. */
  async close(): Promise<void> {
    if (this.#owned) await calls.close(this.#descriptor);
  }
}

function storageError(cause: unknown): never {
  const code = systemCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    throw new DomainError('out_of_space', 'There is no space left for the image', { cause });
  throw cause;
}

function openError(path: string, cause: unknown): unknown {
  const known = OPEN_ERRORS[systemCode(cause) ?? ''];
  if (known === undefined) return cause;
  const [code, reason, message] = known;
  return new DomainError(code, message(path), { reason, cause });
}

const OPEN_ERRORS: Partial<Record<string, readonly [ErrorCode, string, (path: string) => string]>> = {
  ENOENT: ['not_found', 'file_not_found', (path) => `There is no file ${path}`],
  ENOTDIR: ['not_found', 'file_not_found', (path) => `There is no file ${path}`],
  EACCES: ['forbidden', 'file_forbidden', (path) => `No permission to open ${path}`],
  EPERM: ['forbidden', 'file_forbidden', (path) => `No permission to open ${path}`],
  EROFS: ['forbidden', 'file_read_only', (path) => `${path} lies on a read-only file system`],
  EISDIR: ['unprocessable', 'sif_not_a_file', (path) => `Expected an image file, got the folder ${path}`],
  EEXIST: ['conflict', 'file_exists', (path) => `${path} exists already`],
};
