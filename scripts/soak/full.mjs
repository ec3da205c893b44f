import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSIDE = new URL('./full-disk.mjs', import.meta.url).pathname;
/** A small disk that only its own processes see; no privilege is needed where user namespaces are allowed. */
const ON_A_SMALL_DISK = 'mount -t tmpfs -o size=320m none "$1" && exec "$2" "$3" "$1" "$4"';

/** A disk that is full again and again: pushes are refused, what is there stays, and whoever deletes makes room. */
export async function fullDisk({ times, folder }) {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const words = ['-rm', 'sh', '-c', ON_A_SMALL_DISK, 'sh', disk, process.execPath, INSIDE, String(times)];
  const { stdout } = await run('unshare', words);
  return stdout.trim();
}
