import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, newObjectId, withFileLock } from '#libs/core';
import { WorkFolder } from './work-folder.js';

const LOCK = '.lock';
const LOCK_NAMES = /\.lock(\.break)?$/;

export interface ClaimedFolderOptions {
  /** Existing; others may have theirs in it, and strangers as well (`/tmp`). */
  readonly parent: string;
  /** What the names of these folders begin with; everything else in the parent is left alone. */
  readonly prefix: string;
  /** Told what could not be removed. */
  readonly onStays: (path: string, error: unknown) => void;
}

/**
 * A private folder (0700) that belongs to this process for as long as it lives: a lock beside it says so, made before the folder is. What processes left behind
 * that were killed is removed by the next one that claims a folder in the same place.
 */
export class ClaimedFolder {
  readonly #released = Promise.withResolvers<void>();
  #held: Promise<void> | undefined;

  private constructor(
    readonly path: string,
    private readonly options: ClaimedFolderOptions,
  ) {}

  /** @throws the system's error when nothing can be made there */
  static async claim(options: ClaimedFolderOptions): Promise<ClaimedFolder> {
    const folder = new ClaimedFolder(join(options.parent, options.prefix + newObjectId()), options);
    const locked = Promise.withResolvers<void>();
    folder.#held = withFileLock(folder.path + LOCK, async () => {
      locked.resolve();
      await folder.#released.promise;
    });
    folder.#held.catch(locked.reject);
    await locked.promise;
    try {
      await mkdir(folder.path, { mode: 0o700 });
    } catch (error) {
      folder.#released.resolve();
      await folder.#held;
      throw error;
    }
    await folder.#clearDead();
    return folder;
  }

  /** Removes the folder with everything in it and gives the claim up. @throws DomainError when something stays */
  async remove(): Promise<void> {
    try {
      await WorkFolder.clear(this.path);
    } finally {
      this.#released.resolve();
      await this.#held;
    }
  }

  async #clearDead(): Promise<void> {
    const { parent, prefix } = this.options;
    const isPrivate = await isClosedToOthers(parent);
    const names = (await readdir(parent)).filter((name) => name.startsWith(prefix));
    const folders = new Set(names.map((name) => join(parent, name.replace(LOCK_NAMES, ''))));
    folders.delete(this.path);
    for (const path of folders) if (isPrivate || (await isOurs(path))) await this.#clear(path);
  }

  /** Removes a folder unless its process lives. */
  async #clear(path: string): Promise<void> {
    const { onStays } = this.options;
    try {
      await withFileLock(path + LOCK, () => WorkFolder.clear(path), { timeout: 0 });
    } catch (error) {
      if (!(error instanceof DomainError && error.reason === 'locked')) onStays(path, error);
    }
  }
}

/** Whether nobody else can have put anything there. */
async function isClosedToOthers(folder: string): Promise<boolean> {
  const { uid, mode } = await lstat(folder);
  return uid === process.getuid?.() && (mode & 0o022) === 0;
}

/**
 * Whether folder and lock are this user's own, and closed to others: in a folder that everybody may write to, somebody else could swap what is being removed,
 * above all under root's hands.
 */
async function isOurs(path: string): Promise<boolean> {
  const self = process.getuid?.();
  const [folder, lock] = await Promise.all(
    [path, path + LOCK].map(async (each) => lstat(each).catch(() => undefined)),
  );
  const closed = folder === undefined || (folder.isDirectory() && (folder.mode & 0o077) === 0);
  return closed && [folder, lock].every((stats) => stats === undefined || stats.uid === self);
}
