import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { createSif, DataType, FileAccess, FileSystem, PartitionType } from '#libs/sif';
import { Person } from './person.mjs';
import { Traces } from './traces.mjs';

const BUILT = new URL('../../../addon/build', import.meta.url).pathname;
/** The last one only where the tests of the native part are built. */
const PARTS = ['sing', 'sh', 'core-fuzz'];
const APPLETS = ['sh', 'cat', 'dd', 'sleep', 'sha256sum', 'mkdir', 'true', 'id'];
/** Where the folder of a stage is seen, while its parts take the places of /tmp and the homes. */
const PLACE = '/mnt';
const ORDINARY = 61_236;
const WALLED = 61_237;
export const FIRST_SUBID = 3_100_000_000;
/** By names: how containers are started. What a cache keeps is kept on purpose. */
const CONFIGURATIONS = {
  alone: 'image server idle = 0\nunpacked cache size = 0',
  shared: 'image server idle = 2\nunpacked cache size = 0',
  cached: 'image server idle = 0',
};

/**
 * What containers are started in: an ordinary user with sub-ids, root, images of every kind, and folders for temporary files, homes and sockets in which nobody
 * else writes. For a process that has mount and PID namespaces of its own.
 * @throws Error when something that is needed is not there
 */
export async function makeWorld(folder) {
  for (const needed of [join(BUILT, 'sing'), '/bin/busybox'])
    if (!existsSync(needed)) throw new Error(`Expected ${needed}: scripts/up --build-only, busybox-static`);
  const isRoot = process.getuid() === 0;
  const id = isRoot ? ORDINARY : process.getuid();
  chmodSync(folder, 0o755);
  mount('--bind', folder, PLACE);
  const make = (name, mode = 0o755, owner) => {
    const path = join(PLACE, name);
    mkdirSync(path, { mode });
    chmodSync(path, mode);
    if (isRoot && owner !== undefined) chownSync(path, owner, owner);
    return path;
  };
  if (isRoot) introduce();
  const program = make('program');
  for (const part of PARTS.filter((name) => existsSync(join(BUILT, name))))
    copyFileSync(join(BUILT, part), join(program, part));
  const token = basename(folder);
  const tree = makeTree(make('source'));
  const squashfs = join(PLACE, `${token}.sqfs`);
  execFileSync('mksquashfs', [tree, squashfs, '-quiet', '-no-progress', '-all-root'], { stdio: 'ignore' });
  const sif = join(PLACE, `${token}.sif`);
  await makeSif(sif, squashfs);
  const configurations = Object.fromEntries(
    Object.entries(CONFIGURATIONS).map(([name, lines]) => {
      const path = join(PLACE, `${name}.conf`);
      writeFileSync(path, `${lines}\nbind path = /etc/localtime, /etc/hosts\n`);
      return [name, path];
    }),
  );
  const sockets = make('sockets');
  const person = (name, uid) => {
    make(name, 0o755, uid);
    make(`sockets/${uid}`, 0o700, uid);
    return new Person({
      name,
      uid,
      // A user namespace in which only the caller is known gives none, whatever /etc/subuid says.
      hasSubids: isRoot && uid === ORDINARY,
      hasFuse: uid !== WALLED,
      program: join(program, 'sing'),
      home: make(`${name}/home`, 0o700, uid),
      work: make(`${name}/work`, 0o755, uid),
    });
  };
  const people = [person('user', id), ...(isRoot ? [person('walled', WALLED), person('root', 0)] : [])];
  const temporary = make('tmp', 0o1777);
  const other = make('var-tmp', 0o1777);
  // Not before everything of this program was loaded: it may lie there.
  mount('--bind', temporary, '/tmp');
  mount('--bind', other, '/var/tmp');
  mount('--bind', sockets, '/run/user');
  process.chdir('/');
  const places = ['/tmp', '/var/tmp', '/run/user', ...people.map(({ home }) => home)];
  return { people, sif, squashfs, tree, token, configurations, traces: new Traces(places, token) };
}

const mount = (...words) => execFileSync('mount', words);

/** Users of this world alone: one with sub-ids and with /dev/fuse, and one to whom that is closed. */
function introduce() {
  const line = (name, uid) => `${name}:x:${uid}:${uid}::${join(PLACE, name, 'home')}:/bin/sh\n`;
  const lines = {
    passwd: `root:x:0:0:root:/root:/bin/sh\n${line('user', ORDINARY)}${line('walled', WALLED)}`,
    group: `root:x:0:\nuser:x:${ORDINARY}:\nwalled:x:${WALLED}:\n`,
    subuid: `user:${FIRST_SUBID}:65536\n`,
    subgid: `user:${FIRST_SUBID}:65536\n`,
  };
  const folder = join(PLACE, 'etc');
  mkdirSync(folder);
  for (const [name, text] of Object.entries(lines)) {
    writeFileSync(join(folder, name), text);
    if (existsSync(`/etc/${name}`)) mount('--bind', join(folder, name), `/etc/${name}`);
  }
  const device = join(folder, 'fuse');
  execFileSync('mknod', ['-m', '0660', device, 'c', '10', '229']);
  chownSync(device, 0, ORDINARY);
  mount('--bind', device, '/dev/fuse');
}

/** A root directory with a static busybox. */
function makeTree(folder) {
  const tree = join(folder, 'tree');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'etc', 'var/tmp', 'root', 'home', 'kept'])
    mkdirSync(join(tree, name), { recursive: true });
  chmodSync(join(tree, 'kept'), 0o777);
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(tree, 'bin', name));
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(tree, 'marker'), 'in the image\n');
  return tree;
}

async function makeSif(path, squashfs) {
  const rootfs = await FileAccess.open(squashfs, 'read');
  const access = await FileAccess.open(path, 'create', 0o644);
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const partition = { fileSystem: FileSystem.squashfs, type: PartitionType.primary, architecture };
  const objects = [{ type: DataType.partition, data: rootfs, extra: { kind: 'partition', partition } }];
  await createSif(access, { clock: { now: () => new Date() }, objects });
  await access.close();
  await rootfs.close();
}
