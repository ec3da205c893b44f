import { EventEmitter } from 'node:events';
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, expected, isObjectId, systemCode } from '#libs/core';
import { LIMITS } from './limits.js';

/**
 * The logs of builds: one file each, which only grows. Whoever appends says at which offset, so that a repeated append writes nothing
 * twice; whoever follows hears of growth and of the end. Nothing of a log is only in memory.
 */
export class BuildLogs {
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #appending = new Map<string, Promise<number>>();

  constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<BuildLogs> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new BuildLogs(folder);
  }

  /** Bytes so far; 0 when nothing was written. */
  async size(id: string): Promise<number> {
    try {
      return (await stat(this.#file(id))).size;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return 0;
      throw error;
    }
  }

  /**
   * Appends bytes that begin at `offset`; what is already there is skipped. Says how many bytes there are now.
   * @throws DomainError `conflict` for a gap, `too_large` beyond the limit, `out_of_space`
   */
  append(id: string, offset: number, bytes: Uint8Array): Promise<number> {
    // One append at a time per build: each must see where the one before ended.
    const before = this.#appending.get(id) ?? Promise.resolve(0);
    const next = before.catch(() => 0).then(() => this.#append(id, offset, bytes));
    this.#appending.set(id, next);
    const forget = (): void => {
      if (this.#appending.get(id) === next) this.#appending.delete(id);
    };
    next.then(forget, forget);
    return next;
  }

  /** Adds a line of our own at the end. */
  async say(id: string, line: string): Promise<void> {
    await this.append(id, await this.size(id), Buffer.from(`${line}\n`));
  }

  async #append(id: string, offset: number, bytes: Uint8Array): Promise<number> {
    const size = await this.size(id);
    if (offset > size)
      throw new DomainError('conflict', expected(`at most ${size}`, 'the offset of the log', offset), {
        reason: 'log_gap',
      });
    const fresh = bytes.subarray(size - offset);
    if (fresh.length === 0) return size;
    if (size + fresh.length > LIMITS.logBytes)
      throw new DomainError('too_large', `A build log may have ${LIMITS.logBytes} bytes`);
    const file = await open(this.#file(id), 'a', 0o600);
    try {
      await file.writeFile(fresh);
    } catch (error) {
      if (systemCode(error) === 'ENOSPC')
        throw new DomainError('out_of_space', 'No space is left for build logs', { cause: error });
      throw error;
    } finally {
      await file.close();
    }
    this.wake(id);
    return size + fresh.length;
  }

  /** Makes the log durable, after every append that was asked for. */
  async sync(id: string): Promise<void> {
    await this.#appending.get(id)?.catch(() => 0);
    const file = await open(this.#file(id), 'a', 0o600);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Makes followers look again: the log has grown, or its build has ended. */
  wake(id: string): void {
    this.#events.emit(id);
  }

  /** At most `limit` bytes from `offset`. */
  async read(id: string, offset: number, limit: number): Promise<Buffer> {
    let file;
    try {
      file = await open(this.#file(id), 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(limit), 0, limit, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  /** Calls `listener` whenever the log has grown or ended; the answer stops it. */
  follow(id: string, listener: () => void): () => void {
    this.#events.on(id, listener);
    return () => this.#events.off(id, listener);
  }

  #file(id: string): string {
    if (!isObjectId(id))
      throw new DomainError('bad_request', expected('24 hexadecimal digits', 'the id of a build', id));
    return join(this.folder, `${id}.log`);
  }
}
