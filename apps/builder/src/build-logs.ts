import { EventEmitter } from 'node:events';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, expected, isObjectId, systemCode, Turns } from '#libs/core';
import { LIMITS } from './limits.js';

/** The log as it is at one moment, open for reading. */
export interface LogSnapshot {
  readonly size: number;
  read(target: Buffer, position: number): Promise<number>;
  close(): Promise<void>;
}

const SUFFIX = '.log';

/**
 * The logs of builds: one file each, which only grows. Whoever appends says at which offset, so that a repeated append writes nothing
 * twice; whoever follows hears of growth and of the end. Nothing of a log is only in memory.
 */
export class BuildLogs {
  readonly #events = new EventEmitter().setMaxListeners(0);
  /** What is being done to each log: one thing after the other, since each must see where the one before ended. */
  readonly #turns = new Turns();

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
   * @param wanted asked when it is this append's turn, so that nothing is written after the last line of {@link end}
   * @returns undefined when it was not wanted
   * @throws DomainError `conflict` for a gap, `too_large` beyond the limit, `out_of_space`
   */
  append(
    id: string,
    offset: number,
    bytes: Uint8Array,
    wanted: () => Promise<boolean> = async () => true,
  ): Promise<number | undefined> {
    return this.#turns.take(id, async () => ((await wanted()) ? this.#append(id, offset, bytes) : undefined));
  }

  /**
   * The last line, after every append that was asked for, and the log is durable. A line that is there already is not written again.
   * @throws the system's error when the disk takes no more: everything before stays readable
   */
  async end(id: string, line: string | undefined): Promise<void> {
    await this.#turns.take(id, async () => {
      if (line !== undefined) await this.#last(id, Buffer.from(`${line}\n`));
      const file = await open(this.#file(id), 'a', 0o600);
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    });
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
    await this.#write(id, fresh);
    return size + fresh.length;
  }

  async #last(id: string, line: Buffer): Promise<void> {
    const size = await this.size(id);
    const end = await this.read(id, Math.max(0, size - line.length), line.length);
    if (end.equals(line)) return;
    // On a line of its own, whatever the build said last.
    const broken = size > 0 && end.at(-1) !== 0x0a;
    await this.#write(id, broken ? Buffer.concat([Buffer.from('\n'), line]) : line);
  }

  async #write(id: string, bytes: Uint8Array): Promise<void> {
    const file = await open(this.#file(id), 'a', 0o600);
    try {
      await file.writeFile(bytes);
    } catch (error) {
      if (systemCode(error) === 'ENOSPC')
        throw new DomainError('out_of_space', 'No space is left for build logs', { cause: error });
      throw error;
    } finally {
      await file.close();
      this.wake(id);
    }
  }

  /** Makes followers look again: the log has grown, or its build has ended. */
  wake(id: string): void {
    this.#events.emit(id);
  }

  /** At most `limit` bytes from `offset`. */
  async read(id: string, offset: number, limit: number): Promise<Buffer> {
    const log = await this.open(id);
    try {
      const buffer = Buffer.alloc(Math.max(0, Math.min(limit, log.size - offset)));
      return buffer.subarray(0, await log.read(buffer, offset));
    } finally {
      await log.close();
    }
  }

  /** The log so far, for sending it whole; empty when nothing was written. */
  async open(id: string): Promise<LogSnapshot> {
    let file;
    try {
      file = await open(this.#file(id), 'r');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      return { size: 0, read: async () => 0, close: async () => undefined };
    }
    try {
      const { size } = await file.stat();
      const opened = file;
      return {
        size,
        read: async (target, position) => (await opened.read(target, 0, target.length, position)).bytesRead,
        close: () => opened.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Calls `listener` whenever the log has grown or ended; the answer stops it. */
  follow(id: string, listener: () => void): () => void {
    this.#events.on(id, listener);
    return () => this.#events.off(id, listener);
  }

  /** Takes a log away. */
  async remove(id: string): Promise<void> {
    await this.#turns.take(id, () => rm(this.#file(id), { force: true }));
  }

  /** Takes logs away to which nothing was added since `before`, of builds that are over. Says how many. */
  async sweep(before: Date, isOver: (id: string) => Promise<boolean>): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.folder)) {
      const id = name.slice(0, -SUFFIX.length);
      if (!name.endsWith(SUFFIX) || !isObjectId(id)) continue;
      const stats = await stat(this.#file(id)).catch(() => undefined);
      if (stats === undefined || stats.mtime >= before || !(await isOver(id))) continue;
      await this.remove(id);
      removed += 1;
    }
    return removed;
  }

  #file(id: string): string {
    if (!isObjectId(id))
      throw new DomainError('bad_request', expected('24 hexadecimal digits', 'the id of a build', id));
    return join(this.folder, `${id}${SUFFIX}`);
  }
}
