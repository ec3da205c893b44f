import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CHECKOUT = new URL('../../..', import.meta.url).pathname;
/** Where the folder of the stage is seen. The stock programs are built for the folders below it that have their names. */
export const PLACE = '/mnt';
const ORDINARY = 61_238;
const FIRST_SUBID = 3_100_000_000;
const ROOT = process.getuid() === 0;
/** Of the ordinary user: another one than root, or whoever has started this. */
export const ID = ROOT ? ORDINARY : process.getuid();

/**
 * Shows the folder of the stage at its place, with the programs and this checkout below it, has the names of this machine and of `site` lead to this machine, and
 * opens its network. For a process that has mount and network namespaces of its own.
 */
export function makePlace(folder, { programs, site }) {
  process.umask(0o022);
  chmodSync(folder, 0o755);
  mount(folder, PLACE);
  for (const { name, folder: built } of programs) mount(built, makeFolder(name));
  mount(CHECKOUT, makeFolder('scs'));
  makeFolder('etc');
  replace('hosts', `127.0.0.1 localhost ${site}\n`);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}

/** A folder below the place. @param ofUser whether it is the ordinary user's alone */
export function makeFolder(name, ofUser = false) {
  const path = join(PLACE, name);
  mkdirSync(path);
  if (ofUser) giveAway(path, 0o700);
  return path;
}

/** A file that is the ordinary user's alone. */
export function writeForUser(path, text) {
  writeFileSync(path, text);
  giveAway(path, 0o600);
}

/** The ordinary user from now on, with sub-ids where there are any: SingularityCE asks the machine where home is. */
export function introduce(name, home) {
  replace('passwd', `root:x:0:0:root:/root:/bin/sh\n${name}:x:${ID}:${ID}::${home}:/bin/sh\n`);
  replace('group', `root:x:0:\n${name}:x:${ID}:\n`);
  if (!ROOT) return;
  for (const file of ['subuid', 'subgid']) replace(file, `${name}:${FIRST_SUBID}:65536\n`);
}

/** Shows a folder or a file at another path. */
export const mount = (source, target) => execFileSync('mount', ['--bind', source, target]);

/** A file of /etc as this world has it. */
function replace(name, text) {
  const file = join(PLACE, 'etc', name);
  const isNew = !existsSync(file);
  writeFileSync(file, text);
  if (isNew && existsSync(`/etc/${name}`)) mount(file, `/etc/${name}`);
}

function giveAway(path, mode) {
  chmodSync(path, mode);
  if (ROOT) chownSync(path, ID, ID);
}
