import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { AuditHead, AuditHeadLine } from '#libs/contract';
import { systemCode } from '#libs/core';
import { TRAIL_LIMITS } from './limits.js';

const NEWLINE = 0x0a;

/** What a line holds: the head for people, and for verification as it was signed. */
const Line = z.object({
  sequence: z.number().int(),
  hash: z.string().max(100),
  time: z.string().max(100),
  signed: z.string().max(TRAIL_LIMITS.headLine),
});

/** The folder of a service's heads and of the key that signs them, in its data folder. */
export function auditFolder(dataFolder: string): string {
  return join(dataFolder, 'audit');
}

/** Where to go on reading: bytes, and the number of the line that begins there. */
export interface HeadsPlace {
  readonly offset: number;
  readonly line: number;
}
export const HEADS_BEGIN: HeadsPlace = { offset: 0, line: 1 };

export interface HeadsPage {
  readonly heads: readonly AuditHeadLine[];
  /** Present when there is more. */
  readonly next?: HeadsPlace;
}

/** The file of signed heads of one service, `heads.jsonl` (0600): lines are added, and nothing else. */
export class HeadsFile {
  readonly path: string;
  readonly #service: string;

  constructor(dataFolder: string, service: string) {
    this.path = join(auditFolder(dataFolder), 'heads.jsonl');
    this.#service = service;
  }

  /** Adds a head. Durable when this resolves. Half a line that a crash left is removed first: nobody was told of it. */
  async append(head: AuditHead, signed: string): Promise<void> {
    const { service, sequence, hash, time } = head;
    const line = `${JSON.stringify({ service, sequence, hash, time, signed })}\n`;
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    // Opened each time, so that a file that was moved away is not written to.
    const file = await open(this.path, 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const whole = await endOfLines(file, size);
      if (whole < size) await file.truncate(whole);
      await file.appendFile(line);
      await file.datasync();
      if (size === 0) await syncFolder(dirname(this.path));
    } finally {
      await file.close();
    }
  }

  /** Up to `limit` lines from a place on. A line that is no head is told with empty members: it is a finding. */
  async read(from: HeadsPlace, limit: number): Promise<HeadsPage> {
    const file = await this.#open();
    if (file === undefined) return { heads: [] };
    try {
      const { bytesRead, buffer } = await file.read({
        buffer: Buffer.alloc(TRAIL_LIMITS.headChunk),
        position: from.offset,
      });
      const chunk = buffer.subarray(0, bytesRead);
      const heads: AuditHeadLine[] = [];
      let at = 0;
      while (heads.length < limit) {
        const end = chunk.indexOf(NEWLINE, at);
        // Without an end it was being written, or a whole chunk of something else begins here.
        if (end === -1 && (at > 0 || bytesRead < TRAIL_LIMITS.headChunk)) break;
        const stop = end === -1 ? bytesRead : end;
        heads.push(this.#line(chunk.toString('utf8', at, stop), from.line + heads.length));
        at = end === -1 ? bytesRead : end + 1;
      }
      const { size } = await file.stat();
      const place = { offset: from.offset + at, line: from.line + heads.length };
      const more = heads.length > 0 && place.offset < (await endOfLines(file, size));
      return { heads, ...(more ? { next: place } : {}) };
    } finally {
      await file.close();
    }
  }

  /** The last line, if there is one. Its number is not known and given as 1. */
  async newest(): Promise<AuditHeadLine | undefined> {
    const file = await this.#open();
    if (file === undefined) return undefined;
    try {
      const end = await endOfLines(file, (await file.stat()).size);
      if (end === 0) return undefined;
      const start = Math.max(await endOfLines(file, end - 1), end - TRAIL_LIMITS.headLine);
      const { buffer } = await file.read({ buffer: Buffer.alloc(end - start), position: start });
      return this.#line(buffer.toString('utf8'), 1);
    } finally {
      await file.close();
    }
  }

  async #open(): Promise<FileHandle | undefined> {
    try {
      return await open(this.path, 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #line(text: string, line: number): AuditHeadLine {
    const { success, data } = Line.safeParse(parseOrUndefined(text));
    const head = success ? data : { sequence: 0, hash: '', time: '', signed: '' };
    return { service: this.#service, line, ...head };
  }
}

/** The offset behind the last newline before `size`; 0 when there is none. */
async function endOfLines(file: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - TRAIL_LIMITS.headLine);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(end - start), position: start });
    const at = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (at !== -1) return start + at + 1;
    end = start;
  }
  return 0;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
