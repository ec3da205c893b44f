import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isProcessName, processName, stateOfProcess, systemCode } from '#libs/core';
import { TRANSFER } from './limits.js';

/** Files that say in their names which process works at them: `<prefix><process name><suffix>`; the prefix ends with a dot. */
export interface OwnedKind {
  readonly folder: string;
  readonly prefix: string;
  readonly suffix: string;
}

export interface OwnedFile {
  readonly path: string;
  /** What stands before the name of the process. */
  readonly prefix: string;
  /** Nobody works at it any more. */
  readonly abandoned: boolean;
  /** Bytes that it takes up on disk. */
  readonly size: number;
  readonly modifiedAt: Date;
}

/** The name that a file of this kind has while this process works at it. */
export function ownPath({ folder, prefix, suffix }: OwnedKind): string {
  return join(folder, `${prefix}${processName()}${suffix}`);
}

/**
 * The files in a folder that some process works at or did, of this process too. A folder that is not there has none.
 * @param isWanted whether the prefix is one that was asked for
 */
export async function ownedFiles(
  folder: string,
  suffix: string,
  isWanted: (prefix: string) => boolean = () => true,
): Promise<readonly OwnedFile[]> {
  const files: OwnedFile[] = [];
  for (const name of await readdir(folder).catch(absent)) {
    if (!name.endsWith(suffix)) continue;
    const start = name.lastIndexOf('.', name.length - suffix.length - 1) + 1;
    const [prefix, owner] = [name.slice(0, start), name.slice(start, -suffix.length)];
    if (!isProcessName(owner) || !isWanted(prefix)) continue;
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined);
    // In a folder where others may write too, theirs are nothing to go on with.
    if (found?.isFile() !== true || found.uid !== process.geteuid?.()) continue;
    const abandoned = isAbandoned(owner, found.mtime);
    files.push({ path, prefix, abandoned, size: found.blocks * 512, modifiedAt: found.mtime });
  }
  return files;
}

/**
 * Makes what a process that is gone has left of this kind the own file, the one with the most in it, and removes the others.
 * Several processes at once get different files: renaming works for one only.
 */
export async function takeOver(kind: OwnedKind): Promise<void> {
  const own = ownPath(kind);
  const files = await ownedFiles(kind.folder, kind.suffix, (prefix) => prefix === kind.prefix);
  const left = files.filter(({ path, abandoned }) => abandoned || path === own);
  let taken = false;
  for (const { path } of left.toSorted((a, b) => b.size - a.size)) {
    if (!taken) taken = path === own || (await renamed(path, own));
    else if (path !== own) await rm(path, { force: true });
  }
}

/** Whoever cannot be judged from here shows by touching the file that it lives ({@link TRANSFER.heartbeat}). */
function isAbandoned(owner: string, touched: Date): boolean {
  const state = stateOfProcess(owner);
  if (state !== 'unknown') return state === 'gone';
  return Date.now() - touched.getTime() > TRANSFER.abandonedAfter;
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function absent(error: unknown): string[] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}
