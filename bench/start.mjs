/**
 * Time to start a container, as an ordinary user, side by side with other programs on the same tree: interleaved rounds, medians, ratios.
 *
 *   node bench/start.mjs [rounds]
 *
 * Started by root it takes the id of `nobody` and a private /dev/fuse that is open to users; otherwise it measures as the caller.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';

const ROUNDS = Number(process.argv[2] ?? 60);
const NOBODY = '65534';
const sing = resolve(import.meta.dirname, '../addon/build/sing');
const self = resolve(import.meta.filename);

/** Runs this file again as an ordinary user who may use /dev/fuse. */
function againAsUser() {
  const script = [
    'set -e',
    'mount --make-rprivate /',
    'mount -t tmpfs -o mode=1777 tmpfs /mnt',
    'mknod -m 0666 /mnt/fuse c 10 229',
    'mount --bind /mnt/fuse /dev/fuse',
    'umount -l /mnt',
    `exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups env HOME=/var/tmp USER=nobody "$0" "$@"`,
  ].join('\n');
  const args = ['--mount', 'sh', '-c', script, process.execPath, self, String(ROUNDS)];
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit', cwd: '/' }).status ?? 1;
}

/** A tree with a static /bin/true, and images of it. */
function makeImages(folder) {
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'bin'), { recursive: true });
  for (const name of ['dev', 'proc', 'sys', 'tmp', 'etc', 'var/tmp', 'root', 'home'])
    mkdirSync(join(tree, name), { recursive: true });
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
  for (const name of ['sh', 'true']) symlinkSync('busybox', join(tree, 'bin', name));
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\n');
  const image = (compression) => {
    const path = join(folder, `${compression}.squashfs`);
    execFileSync('mksquashfs', [tree, path, '-quiet', '-no-progress', '-comp', compression], {
      stdio: 'ignore',
    });
    return path;
  };
  return { tree, zstd: image('zstd'), gzip: image('gzip') };
}

const found = (program) =>
  ['/usr/bin', '/bin', '/usr/local/bin']
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));

function candidates({ tree, zstd, gzip }) {
  const bwrap = found('bwrap');
  const chRun = found('ch-run');
  return {
    '/bin/true': [join(tree, 'bin/busybox'), 'true'],
    ...(bwrap && {
      bwrap: [
        bwrap,
        '--ro-bind',
        tree,
        '/',
        '--dev-bind',
        '/dev',
        '/dev',
        '--proc',
        '/proc',
        '--bind',
        '/tmp',
        '/tmp',
        '--bind',
        '/var/tmp',
        '/var/tmp',
        '/bin/true',
      ],
    }),
    ...(chRun && { 'ch-run': [chRun, '--no-home', tree, '--', '/bin/true'] }),
    'sing version': [sing, 'version'],
    'sing exec directory': [sing, '-q', 'exec', tree, '/bin/true'],
    'sing exec -p directory': [sing, '-q', 'exec', '-p', tree, '/bin/true'],
    'sing exec image zstd': [sing, '-q', 'exec', zstd, '/bin/true'],
    'sing exec image gzip': [sing, '-q', 'exec', gzip, '/bin/true'],
  };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

function measure(commands) {
  const times = new Map(Object.keys(commands).map((name) => [name, []]));
  for (let round = -3; round < ROUNDS; round += 1) {
    for (const [name, [program, ...args]] of Object.entries(commands)) {
      const start = performance.now();
      const { status, stderr } = spawnSync(program, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
      const took = performance.now() - start;
      if (status !== 0) throw new Error(`Expected ${name} to end with 0, got ${status}: ${String(stderr)}`);
      // The first rounds fill caches.
      if (round >= 0) times.get(name).push(took);
    }
  }
  return times;
}

function print(times) {
  const of = (name) => (times.has(name) ? median(times.get(name)) : undefined);
  const ratio = (name, base) => (of(base) === undefined ? '-' : (of(name) / of(base)).toFixed(2));
  const lines = [['', 'median ms', 'best ms', 'to true', 'to bwrap', 'to ch-run']];
  for (const [name, list] of times)
    lines.push([
      name,
      of(name).toFixed(2),
      Math.min(...list).toFixed(2),
      ratio(name, '/bin/true'),
      ratio(name, 'bwrap'),
      ratio(name, 'ch-run'),
    ]);
  for (const line of lines)
    process.stdout.write(
      `${line[0].padEnd(26)}${line
        .slice(1)
        .map((cell) => cell.padStart(11))
        .join('')}\n`,
    );
}

function main() {
  const folder = mkdtempSync('/tmp/sing-bench-');
  try {
    chmodSync(folder, 0o755);
    print(measure(candidates(makeImages(folder))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.getuid?.() === 0) againAsUser();
else main();
