import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const inside = (script) => new URL(script, import.meta.url).pathname;
/** A small disk that only its own processes see; no privilege is needed where user namespaces are allowed. */
const ON_A_SMALL_DISK = 'mount -t tmpfs -o size=320m none "$1" && exec "$2" "$3" "$1" "$4" "$5"';

/** A disk that is full again and again: pushes are refused, what is there stays, and whoever deletes makes room. */
export function fullDisk(options) {
  return onASmallDisk('./full-disk.mjs', options);
}

/** The same where the database of the library alone is there: the state of the instance and the images have room elsewhere. */
export function fullDatabase(options) {
  return onASmallDisk('./full-database.mjs', options);
}

async function onASmallDisk(script, { times, folder }) {
  const disk = join(folder, 'disk');
  const state = join(folder, 'state');
  for (const one of [disk, state]) mkdirSync(one);
  const command = [process.execPath, inside(script), String(times), state];
  const { stdout } = await run('unshare', ['-rm', 'sh', '-c', ON_A_SMALL_DISK, 'sh', disk, ...command]);
  return stdout.trim();
}
