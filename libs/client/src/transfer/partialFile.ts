import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import {
  type ByteRange,
  type Digest,
  digestFromHex,
  DomainError,
  hexOf,
  refuseExisting,
  systemCode,
} from '#libs/core';
import { Intervals } from './intervals.js';
import { Journal, readLines } from './journal.js';
import { TRANSFER } from './limits.js';
import { type OwnedFile, ownedFiles, type OwnedKind, ownPath, takeOver } from './ownedFiles.js';

/** What a partial file is a part of. */
export interface Wanted {
  readonly destination: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface Placing {
  readonly overwrite: boolean;
  /** Mode of the file, from which nothing is taken away; that of any new program when absent. */
  readonly mode?: number | undefined;
}

/** Partial files that this process has open. */
const mine = new Set<string>();
const SUFFIX = '.partial';

/**
 * A file that arrives in ranges, beside its destination under a hidden name, so that an interrupted pull goes on where it
 * was. The name says which process fills it: another one takes it up only when that process is gone, so that two pulls at
 * once do not disturb each other. Behind the place of the last byte stands a journal of what is there; it goes when
 * everything was checked. Only the hash of the whole decides whether it may take its destination.
 */
export class PartialFile {
  readonly handle: FileHandle;
  readonly #wanted: Wanted;
  readonly #path: string;
  #there: Intervals;
  #etag: string | undefined;
  #journal: Journal;

  private constructor(wanted: Wanted, path: string, handle: FileHandle, state: State) {
    this.#wanted = wanted;
    this.#path = path;
    this.handle = handle;
    this.#there = state.there;
    this.#etag = state.etag;
    this.#journal = new Journal(handle, state.end);
  }

  /**
   * The own file for this content, with what a process that is gone has left of it.
   * @throws DomainError `conflict` when this process has it open, or somebody else owns it
   */
  static async open(wanted: Wanted): Promise<PartialFile> {
    const kind = kindOf(wanted);
    const path = ownPath(kind);
    if (mine.has(path))
      throw new DomainError('conflict', `${wanted.destination} is just being pulled`, { reason: 'busy' });
    mine.add(path);
    let handle: FileHandle | undefined;
    try {
      await takeOver(kind);
      handle = await openOwn(path);
      const state = (await readState(handle, wanted)) ?? (await newState(handle, wanted));
      return new PartialFile(wanted, path, handle, state);
    } catch (error) {
      mine.delete(path);
      await handle?.close();
      // A full disk, mostly: what cannot be noted down is of no use.
      if (handle !== undefined) await rm(path, { force: true });
      throw error;
    }
  }

  /** Bytes that are there. */
  get present(): number {
    return this.#there.total;
  }

  /** The validator that the bytes which are there came with. */
  get etag(): string | undefined {
    return this.#etag;
  }

  /** What has still to come, in order and in pieces of at most `length` bytes. */
  missing(length: number): ByteRange[] {
    return this.#there.missing(this.#wanted.size, length);
  }

  /** Notes down that bytes are there; they have been written. */
  async add(range: ByteRange): Promise<void> {
    this.#there.add(range);
    await this.#journal.note(`${range.start}-${range.end}`);
  }

  /** Notes down the validator of what comes from now on. */
  async setEtag(etag: string): Promise<void> {
    this.#etag = etag;
    await this.#journal.note(`e ${Buffer.from(etag).toString('base64url')}`);
  }

  /** Forgets everything: what is there is not what it should be. */
  async restart(): Promise<void> {
    this.#journal.stop();
    const { there, etag, end } = await newState(this.handle, this.#wanted);
    this.#there = there;
    this.#etag = etag;
    this.#journal = new Journal(this.handle, end);
  }

  /** Takes the bytes of another file instead; shares them where the file system can. */
  async copyFrom(source: string): Promise<void> {
    await this.restart();
    await copyFile(source, this.#path, constants.COPYFILE_FICLONE);
  }

  /** @param onBytes told how many bytes were read since the last call */
  async digest(signal?: AbortSignal, onBytes?: (count: number) => void): Promise<Digest> {
    return digestOf(this.handle, this.#wanted.size, signal, onBytes);
  }

  /**
   * Puts the file, whose bytes were checked, in its place, durably. Where the same image has come meanwhile it stays.
   * @throws DomainError `conflict` when something else is there that may not be replaced
   */
  async place({ overwrite, mode }: Placing): Promise<void> {
    const { destination, size } = this.#wanted;
    this.#journal.stop();
    // A file without a journal is one that was checked: whoever finds it has only to look at the hash.
    await this.handle.truncate(size);
    if (mode !== undefined) await this.handle.chmod(mode);
    await this.handle.sync();
    await refuseExisting(destination, { overwrite: true });
    if (overwrite) await this.#rename();
    else await this.#linkOnce();
    await syncFolder(dirname(destination));
    await this.remove();
    await removeStale(destination);
  }

  /** Lets go; what is there can be taken up later. */
  async keep(): Promise<void> {
    this.#journal.stop();
    await this.handle.close();
    mine.delete(this.#path);
  }

  async remove(): Promise<void> {
    await this.keep();
    await rm(this.#path, { force: true });
  }

  /** Two programs at once cannot overwrite each other: unlike renaming, linking never replaces. */
  async #linkOnce(): Promise<void> {
    const { destination } = this.#wanted;
    try {
      await link(this.#path, destination);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') {
        if (await isPlaced(this.#wanted)) return;
      } else if (!NO_LINKS.has(systemCode(error) ?? '')) throw error;
      await refuseExisting(destination, { overwrite: false });
      await this.#rename();
    }
  }

  async #rename(): Promise<void> {
    const { destination } = this.#wanted;
    try {
      await rename(this.#path, destination);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      throw new DomainError('conflict', `Another program has gone on with the pull of ${destination}`, {
        reason: 'taken_over',
        remedy: 'This one was asleep for too long: look whether the file is there, and pull again if not.',
        cause: error,
      });
    }
  }
}

/** Partial files in a folder, whatever they are parts of. */
export async function partialFiles(folder: string): Promise<readonly OwnedFile[]> {
  return ownedFiles(folder, SUFFIX);
}

/**
 * Removes what a pull that was killed in its last moment has left: a second name of the file that is in its place already.
 */
export async function removePlaced(destination: string): Promise<void> {
  const there = await lstat(destination).catch(() => undefined);
  if (there === undefined || there.nlink < 2) return;
  for (const { path } of await abandonedFor(destination)) {
    const other = await lstat(path).catch(() => undefined);
    if (other?.ino === there.ino && other.dev === there.dev) await rm(path, { force: true });
  }
}

/** What is left of other pulls to a place that has its file now: nobody goes on with it. */
async function removeStale(destination: string): Promise<void> {
  for (const { path } of await abandonedFor(destination)) await rm(path, { force: true });
}

/** Partial files, of whatever content, that processes which are gone have left beside a destination. */
async function abandonedFor(destination: string): Promise<readonly OwnedFile[]> {
  const beginning = `.${shortName(destination)}.`;
  const files = await ownedFiles(
    dirname(destination),
    SUFFIX,
    (prefix) => prefix.startsWith(beginning) && /^[0-9a-f]{16}\.$/.test(prefix.slice(beginning.length)),
  );
  return files.filter(({ abandoned }) => abandoned);
}

/** SHA-256 of the first `size` bytes of an open file. */
async function digestOf(
  handle: FileHandle,
  size: number,
  signal?: AbortSignal,
  onBytes?: (count: number) => void,
): Promise<Digest> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(TRANSFER.batch, size)));
  for (let at = 0; at < size;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
    onBytes?.(bytesRead);
  }
  return digestFromHex(hash.digest('hex'));
}

/** What file systems without hard links say. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK']);

/** Names may have 255 bytes, and the rest of the hidden one takes up to 110: what is too long is cut. */
function shortName(destination: string): string {
  let name = basename(destination).slice(0, 120);
  while (Buffer.byteLength(name) > 120) name = name.slice(0, -1);
  return name;
}

function kindOf({ destination, digest }: Pick<Wanted, 'destination' | 'digest'>): OwnedKind {
  const prefix = `.${shortName(destination)}.${hexOf(digest).slice(0, 16)}.`;
  return { folder: dirname(destination), prefix, suffix: SUFFIX };
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
  const found = await handle.stat();
  if (found.isFile() && found.uid === (process.geteuid?.() ?? -1)) return handle;
  await handle.close();
  throw new DomainError('conflict', `${path} belongs to somebody else`, {
    reason: 'foreign_file',
    remedy: 'Remove it, or pull to another folder.',
  });
}

/** What is known of a partial file, and where its journal goes on. */
interface State {
  readonly there: Intervals;
  readonly etag: string | undefined;
  readonly end: number;
}

function headerOf({ digest, size }: Wanted): string {
  return `scs-pull 1 ${digest} ${size}`;
}

async function newState(handle: FileHandle, wanted: Wanted): Promise<State> {
  await handle.truncate(0);
  return writeHeader(handle, wanted, new Intervals());
}

async function writeHeader(handle: FileHandle, wanted: Wanted, there: Intervals, line = ''): Promise<State> {
  const header = Buffer.from(`${headerOf(wanted)}\n${line}`);
  await handle.write(header, 0, header.length, wanted.size);
  return { there, etag: undefined, end: wanted.size + header.length };
}

/** What is there of the wanted file; undefined when nothing can be believed. */
async function readState(handle: FileHandle, wanted: Wanted): Promise<State | undefined> {
  const { size } = wanted;
  const there = new Intervals();
  if ((await handle.stat()).size === size) {
    // Everything was checked before.
    const all = { start: 0, end: size - 1 };
    there.add(all);
    return writeHeader(handle, wanted, there, `${all.start}-${all.end}\n`);
  }
  const read = await readLines(handle, size, TRANSFER.journal);
  if (read?.lines[0] !== headerOf(wanted)) return undefined;
  let etag: string | undefined;
  for (const line of read.lines) {
    const [, start, end] = /^(\d{1,15})-(\d{1,15})$/.exec(line) ?? [];
    const range = { start: Number(start), end: Number(end) };
    if (range.start <= range.end && range.end < size) there.add(range);
    const [, encoded] = /^e ([\w-]{1,400})$/.exec(line) ?? [];
    if (encoded !== undefined) etag = Buffer.from(encoded, 'base64url').toString();
  }
  // What was cut off is ended.
  await handle.write(Buffer.from('\n'), 0, 1, read.end);
  return { there, etag, end: read.end + 1 };
}

/** Whether a file of our own with the wanted content is in its place. */
export async function isPlaced(
  { destination, digest, size }: Wanted,
  signal?: AbortSignal,
  onBytes?: (count: number) => void,
): Promise<boolean> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(destination, flags).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const found = await handle.stat();
    if (!found.isFile() || found.size !== size || found.uid !== process.geteuid?.()) return false;
    return (await digestOf(handle, size, signal, onBytes)) === digest;
  } finally {
    await handle.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  // Some network file systems cannot sync a folder.
  await folder.sync().catch(() => undefined);
  await folder.close();
}
