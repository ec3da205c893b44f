import type { FileHandle } from 'node:fs/promises';
import { TRANSFER } from './limits.js';

/**
 * Lines that are appended to an open file, for another process that goes on when this one is killed. The last one may be cut
 * off, and after a power failure any: whoever reads them takes whole lines of the right form and leaves the rest. While
 * nothing is noted an empty line now and then shows others that somebody is at work here.
 */
export class Journal {
  readonly #handle: FileHandle;
  readonly #beat: NodeJS.Timeout;
  #end: number;
  #touched = performance.now();

  /** @param end where the first line goes, in bytes */
  constructor(handle: FileHandle, end: number) {
    this.#handle = handle;
    this.#end = end;
    this.#beat = setInterval(() => void this.#touch().catch(() => undefined), TRANSFER.heartbeat);
    this.#beat.unref();
  }

  /** Appends a line. Several at once are fine. */
  async note(line: string): Promise<void> {
    const text = Buffer.from(`${line}\n`);
    const at = this.#end;
    this.#end += text.length;
    this.#touched = performance.now();
    await this.#handle.write(text, 0, text.length, at);
  }

  /** Ends the signs of life. The file stays open. */
  stop(): void {
    clearInterval(this.#beat);
  }

  async #touch(): Promise<void> {
    if (performance.now() - this.#touched >= TRANSFER.heartbeat / 2) await this.note('');
  }
}

/** Whole lines of a file from a position to its end. Undefined when there are more than `limit` bytes. */
export async function readLines(
  handle: FileHandle,
  from: number,
  limit: number,
): Promise<{ readonly lines: readonly string[]; readonly end: number } | undefined> {
  const end = (await handle.stat()).size;
  if (end < from || end - from > limit) return undefined;
  const buffer = Buffer.alloc(end - from);
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return { lines: buffer.toString('utf8', 0, filled).split('\n').slice(0, -1), end };
}
