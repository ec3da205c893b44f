import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { DomainError, refuseExisting, systemCode } from '#libs/core';
import { TRANSFER } from './limits.js';

/** What a partial file is a part of. */
export interface Wanted {
  readonly destination: string;
  /** Names the content. */
  readonly hash: string;
  readonly size: number;
}

/** Partial files that this process has open. */
const mine = new Set<string>();
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/**
 * A file that arrives in ranges, beside its destination under a hidden name, so that an interrupted pull goes on where it
 * was. The name says which process fills it: another one takes it up only when that process is gone. Ranges that are there
 * are listed in a second file; only the hash of the whole decides whether it may take its destination.
 */
export class PartialFile {
  readonly handle: FileHandle;
  /** Indexes of the ranges that are there already. */
  readonly done: Set<number>;
  readonly #path: string;
  readonly #list: FileHandle;

  private constructor(path: string, handle: FileHandle, list: FileHandle, done: Set<number>) {
    this.#path = path;
    this.handle = handle;
    this.#list = list;
    this.done = done;
  }

  static async open(wanted: Wanted): Promise<PartialFile> {
    const folder = dirname(wanted.destination);
    const prefix = `.${basename(wanted.destination).slice(0, 150)}.${wanted.hash.slice(-64, -48)}.`;
    const path = join(folder, `${prefix}${HOST}.${process.pid}.partial`);
    if (mine.has(path))
      throw new DomainError('conflict', `${wanted.destination} is just being pulled`, { reason: 'busy' });
    mine.add(path);
    try {
      await takeUp(folder, prefix, path);
      const handle = await openOwn(path);
      const done = await readList(`${path}.ranges`, await sizeOf(handle), wanted.size);
      return new PartialFile(path, handle, await openList(`${path}.ranges`, done), done);
    } catch (error) {
      mine.delete(path);
      throw error;
    }
  }

  async add(index: number): Promise<void> {
    this.done.add(index);
    await this.#list.appendFile(`${index}\n`);
  }

  /** Forgets all ranges: what is there is not what it should be. */
  async restart(): Promise<void> {
    this.done.clear();
    await this.#list.truncate(0);
    await this.handle.truncate(0);
  }

  /** Puts the file in its place, durably. @throws DomainError `conflict` when something is there that may not be replaced */
  async place(destination: string, options: { readonly overwrite: boolean }): Promise<void> {
    await this.handle.sync();
    await refuseExisting(destination, options);
    if (options.overwrite) await rename(this.#path, destination);
    else await linkOnce(this.#path, destination);
    const folder = await open(dirname(destination), 'r');
    // Some network file systems cannot sync a folder.
    await folder.sync().catch(() => undefined);
    await folder.close();
    await this.remove();
  }

  /** Lets go; what is there can be taken up later. */
  async keep(): Promise<void> {
    await this.handle.close();
    await this.#list.close();
    mine.delete(this.#path);
  }

  async remove(): Promise<void> {
    await this.keep();
    await rm(this.#path, { force: true });
    await rm(`${this.#path}.ranges`, { force: true });
  }
}

/**
 * Opens what was taken up, or makes a new file. In a folder where others may write too, only a file of our own is good:
 * nobody else can change it after its hash was checked.
 */
async function openOwn(path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await open(path, O_RDWR | O_NOFOLLOW).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o755);
    throw error;
  });
  if ((await handle.stat()).uid === (process.getuid?.() ?? -1)) return handle;
  await handle.close();
  throw new DomainError('conflict', `${path} belongs to somebody else`, {
    reason: 'foreign_file',
    remedy: 'Remove it, or pull to another folder.',
  });
}

/** The list is written anew, so that nothing cut off stays in it. */
async function openList(path: string, done: ReadonlySet<number>): Promise<FileHandle> {
  await rm(path, { force: true });
  const list = await open(path, 'ax', 0o600);
  for (const index of done) await list.appendFile(`${index}\n`);
  return list;
}

async function linkOnce(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') await refuseExisting(to, { overwrite: false });
    // File systems without hard links.
    await rename(from, to);
  }
}

/** Takes what a process that is gone has left. Renaming works for one only. */
async function takeUp(folder: string, prefix: string, path: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith('.partial')) continue;
    const left = join(folder, name);
    if (left === path) return;
    const [, host = '', pid = ''] = /^([0-9a-f]{8})\.(\d+)\.partial$/.exec(name.slice(prefix.length)) ?? [];
    if (!(await isAbandoned(left, host, Number(pid)))) continue;
    try {
      await rename(left, path);
      await rename(`${left}.ranges`, `${path}.ranges`);
      return;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
}

async function isAbandoned(path: string, host: string, pid: number): Promise<boolean> {
  if (host === HOST) return !isRunning(pid);
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > TRANSFER.abandonedAfter;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

async function sizeOf(handle: FileHandle): Promise<number> {
  return (await handle.stat()).size;
}

async function readList(path: string, present: number, size: number): Promise<Set<number>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const done = new Set<number>();
  // The last line may be cut off: only whole lines count, and only what the file is long enough for.
  for (const line of text.split('\n').slice(0, -1)) {
    const index = Number(line);
    if (/^\d{1,9}$/.test(line) && Math.min((index + 1) * TRANSFER.range, size) <= present) done.add(index);
  }
  return done;
}
