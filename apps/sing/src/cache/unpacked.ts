import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { nativeProgram } from '../action/native.js';

/** An image that starts have unpacked (decision 34). */
interface UnpackedImage {
  readonly name: string;
  readonly path: string;
  /** The last use. */
  readonly created: Date;
  /** Bytes on the disk when it was made. */
  readonly size: number;
}

/** What starts have unpacked in a folder. */
export async function listUnpacked(folder: string): Promise<readonly UnpackedImage[]> {
  const entries: UnpackedImage[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    const key = join(path, 'key');
    const [text, found] = await Promise.all([
      readFile(key, 'utf8').catch(() => ''),
      stat(key).catch(() => undefined),
    ]);
    if (found === undefined) continue;
    entries.push({
      name,
      path,
      created: found.mtime,
      size: Number(text.split('\n')[1] ?? 0),
    });
  }
  return entries;
}

/**
 * Removes an unpacked image that no container uses. The program does it: users hold locks, of which Node knows nothing.
 * @throws Error with the program's sentence
 */
export async function removeUnpacked({
  path,
  name,
}: Pick<UnpackedImage, 'path' | 'name'>): Promise<'removed' | 'in use'> {
  const { stdout } = await promisify(execFile)(await nativeProgram(), [
    '--clean-unpacked',
    dirname(path),
    name,
  ]);
  return stdout === '' ? 'removed' : 'in use';
}

/** Removes what interrupted starts have left in the folder, if there is one. @throws Error with the program's sentence */
export async function sweepUnpacked(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found !== undefined) await promisify(execFile)(await nativeProgram(), ['--clean-unpacked', folder]);
}
