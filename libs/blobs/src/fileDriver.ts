import { type Digest, systemCode } from '#libs/core';
import { constants } from 'node:fs';
import {
  access,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  statfs,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type {
  BlobDriver,
  BlobListing,
  BlobReader,
  TemporaryBlob,
  TemporaryListing,
  TemporaryPiece,
} from './driver.js';
import {
  blobKey,
  type BlobKey,
  COMMITTED,
  INCOMING,
  readBlobKey,
  readTemporaryKey,
  type TemporaryKey,
} from './layout.js';

/** Nobody but the service reads its files; what they contain may be private. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** Keeps blobs as files below one folder of one file system. */
export class FileBlobDriver implements BlobDriver {
  readonly name = 'file';
  readonly #root: string;
  /** Folders of blobs that are there, durably. */
  readonly #made = new Map<string, Promise<void>>();

  private constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folders that are missing. @throws the system's error when they cannot be made or written */
  static async open(root: string): Promise<FileBlobDriver> {
    await mkdir(join(root, INCOMING), { recursive: true, mode: FOLDER_MODE });
    await mkdir(join(root, COMMITTED), { recursive: true, mode: FOLDER_MODE });
    await syncFolder(root);
    await access(join(root, INCOMING), constants.W_OK | constants.X_OK);
    return new FileBlobDriver(root);
  }

  async sizeOf(key: BlobKey): Promise<number | undefined> {
    return absentAsUndefined(async () => (await stat(join(this.#root, key))).size);
  }

  async open(key: BlobKey): Promise<BlobReader | undefined> {
    return absentAsUndefined(async () => {
      const handle = await open(join(this.#root, key), constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        return new FileReader(handle, (await handle.stat()).size);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  async remove(key: BlobKey): Promise<boolean> {
    const path = join(this.#root, key);
    const removed = await absentAsUndefined(async () => {
      await unlink(path);
      return true;
    });
    return removed ?? false;
  }

  async openTemporary(key: TemporaryKey, options: { create: boolean }): Promise<TemporaryBlob | undefined> {
    const flags = constants.O_RDWR | constants.O_NOFOLLOW | (options.create ? constants.O_CREAT : 0);
    return absentAsUndefined(
      async () => new FileTemporary(await open(join(this.#root, key), flags, FILE_MODE)),
    );
  }

  async publish(
    from: TemporaryKey,
    to: BlobKey,
    { replace }: { readonly replace: boolean } = { replace: false },
  ): Promise<void> {
    const source = join(this.#root, from);
    const target = join(this.#root, to);
    const folder = dirname(target);
    await this.#make(folder);
    const there = await this.sizeOf(to);
    // A blob of another size under this name would be a damaged one: the checked bytes replace it.
    if (!replace && there !== undefined && there === (await stat(source)).size) await unlink(source);
    else await rename(source, target);
    // Also when somebody else renamed it a moment ago: whoever acknowledges has to know that it stays.
    await syncFolder(folder);
  }

  /**
   * Makes a folder and its name durable, once in each process: also when it was there, because whoever made it may not
   * have got so far.
   */
  async #make(folder: string): Promise<void> {
    const making =
      this.#made.get(folder) ??
      mkdir(folder, { recursive: true, mode: FOLDER_MODE }).then(() => syncFolder(dirname(folder)));
    this.#made.set(folder, making);
    await making.catch((error: unknown) => {
      this.#made.delete(folder);
      throw error;
    });
  }

  async discard(key: TemporaryKey): Promise<void> {
    await absentAsUndefined(() => unlink(join(this.#root, key)));
  }

  async listTemporaries(): Promise<readonly TemporaryListing[]> {
    const listings: TemporaryListing[] = [];
    for (const name of await readdir(join(this.#root, INCOMING))) {
      const known = readTemporaryKey(`${INCOMING}/${name}`);
      const found = known && (await absentAsUndefined(() => stat(join(this.#root, known.key))));
      if (known && found) listings.push({ key: known.key, modifiedAt: found.mtime });
    }
    return listings;
  }

  async list(after: Digest | undefined, limit: number): Promise<readonly BlobListing[]> {
    const listings: BlobListing[] = [];
    const last = after === undefined ? '' : blobKey(after);
    for (const folder of (await readdir(join(this.#root, COMMITTED))).sort()) {
      // A folder is read at once: it has every 256th blob.
      if (`${COMMITTED}/${folder}` < dirname(last)) continue;
      const keys = (await namesIn(join(this.#root, COMMITTED, folder)))
        .map((name) => `${COMMITTED}/${folder}/${name}`)
        .filter((key) => key > last)
        .sort();
      for (const key of keys) {
        const digest = readBlobKey(key);
        const found = digest && (await absentAsUndefined(() => lstat(join(this.#root, key))));
        if (!digest || !found?.isFile()) continue;
        listings.push({ digest, size: found.size, storedAt: found.mtime });
        if (listings.length === limit) return listings;
      }
    }
    return listings;
  }

  async freeBytes(): Promise<number | undefined> {
    const { bavail, bsize } = await statfs(this.#root);
    return bavail * bsize;
  }
}

class FileReader implements BlobReader {
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  async read(target: Buffer, position: number): Promise<number> {
    return readFully(this.#handle, target, position);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

class FileTemporary implements TemporaryBlob {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** What is written is in the file at once, and a killed process has written it. */
  begin(start: number): TemporaryPiece {
    let at = start;
    return {
      write: async (chunks) => {
        let rest = chunks;
        while (rest.length > 0) {
          const { bytesWritten } = await this.#handle.writev(rest, at);
          at += bytesWritten;
          rest = dropBytes(rest, bytesWritten);
        }
      },
      keep: async () => undefined,
      drop: async () => undefined,
    };
  }

  async read(target: Buffer, position: number): Promise<number> {
    return readFully(this.#handle, target, position);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async flush(): Promise<void> {
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** A write may be short, on a nearly full disk for example: what is left is written next. */
function dropBytes(chunks: readonly Buffer[], count: number): readonly Buffer[] {
  let left = count;
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}

async function readFully(handle: FileHandle, target: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await handle.read(target, filled, target.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** A new or renamed name is durable only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Nothing where there is no folder of that name. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return [];
    throw error;
  }
}

async function absentAsUndefined<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
