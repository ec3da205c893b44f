import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { nativeProgram } from '../action/native.js';
import type { CacheEntry } from './store.js';

/** The images that starts have unpacked (decision 34). Sizes are those on the disk when they were made; `created` is the last use. */
export async function listUnpacked(folder: string): Promise<readonly CacheEntry[]> {
  const entries: CacheEntry[] = [];
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
      type: 'rootfs',
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
export async function removeUnpacked({ path, name }: CacheEntry): Promise<'removed' | 'in use'> {
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
