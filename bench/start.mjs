/**
 * Containers of an ordinary user, side by side with other programs on the same tree: interleaved rounds, medians, ratios.
 *
 *   node bench/start.mjs [--rounds N] [--starts N] [--only starts,row,pipe,read,stock] [--gib N] [--as root]
 *
 * starts  one start, against /bin/true, bwrap, ch-run; of an image the first one, which starts the server or mounts it, and others, which share that; in an instance
 * row     that many starts of an image in a row, against as many of /bin/true; nothing may be left over
 * pipe    10 GiB (--gib) through standard input and output of a container, against the same program without one
 * read    every file of an image of 192 MB, the first time and again, by a server of its own each time, against squashfuse_ll; beside it the same tree on disk
 * stock   starts of the same directory and image by `apptainer` and `singularity`, where they are in PATH
 *
 * Started by root it takes the id of `nobody` and a private /dev/fuse that is open to users, unless --as root says that root is meant; otherwise it measures as the caller.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { againAsUser } from './support/ordinary-user.mjs';
import { median, report } from './support/report.mjs';
import { atLeast, atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { fillTree, makeSquashfs, makeTree } from './support/trees.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    starts: { type: 'string', default: '1000' },
    only: { type: 'string', default: 'starts,row,pipe,read,stock' },
    gib: { type: 'string', default: '10' },
    as: { type: 'string', default: 'user' },
  },
});
const sing = resolve(import.meta.dirname, '../addon/build/sing');

const found = (program) =>
  [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin']
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));

/** A configuration with which every start has an image server of its own: nothing is in memory yet. */
function nothingShared(folder) {
  const path = join(folder, 'nothing-shared.conf');
  writeFileSync(path, 'image server idle = 0\nbind path = /etc/localtime, /etc/hosts\n');
  return ['-c', path];
}

/** Milliseconds of one run of a command, which must succeed. */
function run(name, [program, ...words]) {
  const begin = performance.now();
  const { status, stderr } = spawnSync(program, words, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  const time = performance.now() - begin;
  if (status !== 0) throw new Error(`Expected ${name} to end with 0, got ${status}: ${String(stderr)}`);
  return time;
}

/** Medians of interleaved rounds, by name. A function makes its command anew each time, which is not measured. */
function medians(commands, rounds) {
  const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  // The first rounds fill caches.
  for (let round = Math.min(-1, -Math.round(rounds / 20)); round < rounds; round += 1) {
    // Each round begins elsewhere and every other one goes backwards: nobody always follows the one that leaves the machine busy.
    const order = Object.entries(commands);
    order.push(...order.splice(0, Math.abs(round) % order.length));
    if (round % 2 !== 0) order.reverse();
    for (const [name, command] of order) {
      const time = run(name, typeof command === 'function' ? command() : command);
      if (round >= 0) times[name].push(time);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

function starts(folder, tree, zstd, gzip) {
  const [bwrap, chRun] = [found('bwrap'), found('ch-run')];
  // ch-run wants to know it.
  process.env.USER ??= 'root';
  const visible = ['--dev-bind', '/dev', '/dev', '--proc', '/proc', '--bind', '/tmp', '/tmp'];
  const exec = (...words) => [sing, '-q', 'exec', ...words, '/bin/true'];
  /** A copy is another file, which no server has yet. */
  const first = (image) => () => {
    const copy = join(folder, 'copy.squashfs');
    rmSync(copy, { force: true });
    copyFileSync(image, copy);
    return exec(copy);
  };
  const instance = `bench-${process.pid}`;
  process.env.SING_CONFIGDIR = join(folder, 'instances');
  run('sing instance start', [sing, '-q', 'instance', 'start', tree, instance]);
  const times = medians(
    {
      '/bin/true': [join(tree, 'bin/busybox'), 'true'],
      ...(bwrap && { bwrap: [bwrap, '--ro-bind', tree, '/', ...visible, '/bin/true'] }),
      unshare: ['unshare', '--user', '--map-root-user', '--mount', 'chroot', tree, '/bin/true'],
      ...(chRun && { 'ch-run': [chRun, '--no-home', tree, '--', '/bin/true'] }),
      directory: exec(tree),
      'directory with --pid': exec('-p', tree),
      // Root has ids below it only where an administrator gave it some.
      ...(values.as !== 'root' && { 'directory with --fakeroot': exec('--fakeroot', tree) }),
      'instance that is joined': exec(`instance://${instance}`),
      'image with zstd, first start': first(zstd),
      'image with gzip, first start': first(gzip),
      'image with zstd': exec(zstd),
      'image with gzip': exec(gzip),
    },
    Number(values.rounds),
  );
  run('sing instance stop', [sing, '-q', 'instance', 'stop', '-F', instance]);
  const targets = {
    directory: ['ch-run', 1.8],
    'directory with --pid': ['ch-run'],
    'directory with --fakeroot': ['directory', 2.2],
    'instance that is joined': ['bwrap', 1.2],
    'image with zstd, first start': ['bwrap', 4],
    'image with gzip, first start': ['bwrap', 6],
    'image with zstd': ['bwrap', 1.6],
    'image with gzip': ['bwrap', 1.6],
  };
  for (const [name, [other, limit]] of Object.entries(targets)) {
    if (times[name] === undefined) continue;
    const ratio = times[name] / times[other];
    report(`sing exec, ${name}`, {
      sing: `${times[name].toFixed(2)} ms`,
      '/bin/true': `${times['/bin/true'].toFixed(2)} ms`,
      unshare: `${times['unshare'].toFixed(2)} ms`,
      ...(times[other] === undefined
        ? {}
        : {
            [other]: `${times[other].toFixed(2)} ms`,
            ratio,
            ...(limit === undefined ? {} : { target: atMost(ratio, limit) }),
          }),
    });
  }
}

/** The programs whose command line `sing` has. One that does not start here says why, and is left out. */
function stock(folder, tree, image) {
  process.env.HOME = folder;
  const kinds = { directory: tree, image };
  for (const peer of ['apptainer', 'singularity'].map(found).filter(Boolean)) {
    const start = (program, what) => [program, '-q', 'exec', what, '/bin/true'];
    try {
      const times = medians(
        Object.fromEntries(
          Object.entries(kinds).flatMap(([kind, what]) => [
            [`sing ${kind}`, start(sing, what)],
            [`peer ${kind}`, start(peer, what)],
          ]),
        ),
        Math.ceil(Number(values.rounds) / 4),
      );
      for (const kind of Object.keys(kinds)) {
        const [ours, theirs] = [times[`sing ${kind}`], times[`peer ${kind}`]];
        report(`exec, ${kind}: sing against ${basename(peer)}`, {
          sing: `${ours.toFixed(2)} ms`,
          [basename(peer)]: `${theirs.toFixed(2)} ms`,
          ratio: ours / theirs,
        });
      }
    } catch (error) {
      process.stderr.write(`${peer} is left out: ${error.message}\n`);
    }
  }
}

/** Image servers and mounts of ours, and loop devices of an image. */
function leftOver(image) {
  const names = readdirSync('/proc').map((pid) => {
    try {
      return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/comm`, 'utf8') : '';
    } catch {
      return '';
    }
  });
  const mounts = readFileSync('/proc/self/mounts', 'utf8').match(/^sing/gm) ?? [];
  const loops = readdirSync('/sys/block').filter((name) => {
    const file = `/sys/block/${name}/loop/backing_file`;
    return existsSync(file) && readFileSync(file, 'utf8').trim() === image;
  });
  return names.filter((name) => name === 'sing-image\n').length + mounts.length + loops.length;
}

async function row(tree, image) {
  const count = Number(values.starts);
  const before = leftOver(image);
  const inARow = (name, command) => {
    const begin = performance.now();
    for (let index = 0; index < count; index += 1) run(name, command);
    return (performance.now() - begin) / 1000;
  };
  const nothing = inARow('/bin/true', [join(tree, 'bin/busybox'), 'true']);
  const ours = inARow('sing exec', [sing, '-q', 'exec', image, '/bin/true']);
  // A shared server ends some seconds after the last start.
  for (let tries = 0; leftOver(image) > before && tries < 150; tries += 1) await wait(100);
  const more = ours - nothing;
  report(`${count} starts of an image in a row`, {
    sing: `${ours.toFixed(1)} s`,
    '/bin/true': `${nothing.toFixed(1)} s`,
    more: `${more.toFixed(1)} s`,
    target: atMost(more, (8 * count) / 1000, ' s'),
    'left over': String(Math.max(0, leftOver(image) - before)),
  });
}

/**
 * `dd | cat | dd`, all of it by the same busybox, where cat runs in a container or not. cat has one processor and both its neighbours another: three programs on two
 * processors are otherwise placed by chance, and the same pipe without a container differs from itself by half.
 */
function pipe(tree) {
  const mebibytes = Number(values.gib) * 1024;
  const busybox = join(tree, 'bin/busybox');
  const on = (processor) => (availableParallelism() > 1 ? `taskset -c ${processor}` : '');
  const through = (command) => [
    'sh',
    '-c',
    `${on(0)} ${busybox} dd if=/dev/zero bs=1M count=${mebibytes} 2>/dev/null | ${on(1)} ${command} |
      ${on(0)} ${busybox} dd of=/dev/null bs=1M iflag=fullblock 2>&1 | ${busybox} grep -q '^${mebibytes}+0 records in'`,
  ];
  const times = medians(
    { plain: through(`${busybox} cat`), sing: through(`${sing} -q exec ${tree} cat`) },
    5,
  );
  const rate = (name) => `${(mebibytes / (times[name] / 1000)).toFixed(0)} MiB/s`;
  const ratio = times.plain / times.sing;
  report(`cat of ${values.gib} GiB through stdin and stdout`, {
    sing: rate('sing'),
    'without a container': rate('plain'),
    ratio,
    target: atLeast(ratio, 0.95),
  });
}

/** Milliseconds for reading every file below a folder, the first time and again, in a shell that a command starts. */
async function reading([program, ...words], folder) {
  const child = spawn(program, words, { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
  const ask = async (line) => {
    const begin = performance.now();
    child.stdin.write(`${line}\n`);
    const [answer] = await once(child.stdout, 'data');
    if (String(answer) !== 'done\n') throw new Error(`Expected done, got ${String(answer)}`);
    return performance.now() - begin;
  };
  await ask('echo done');
  const everything = `find ${folder} -type f -exec cat {} + >/dev/null && echo done`;
  const times = [await ask(everything), await ask(everything)];
  child.stdin.end('exit\n');
  await once(child, 'close');
  return times;
}

async function read(folder) {
  const tree = makeTree(join(folder, 'large'));
  const bytes = fillTree(join(tree, 'content'), 192e6);
  const image = makeSquashfs(tree, join(folder, 'large.squashfs'), 'zstd');
  const mountPoint = join(folder, 'mount');
  mkdirSync(mountPoint);
  const peer = found('squashfuse_ll');
  const busybox = join(tree, 'bin/busybox');
  // Root of a user namespace mounts what it serves, as our containers do.
  const mounted = `${peer} ${image} ${mountPoint} && exec ${busybox} sh`;
  const ways = {
    sing: [[sing, '-s', ...nothingShared(folder), 'exec', image, '/bin/sh'], '/content'],
    ...(peer && {
      squashfuse_ll: [
        ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', mounted],
        join(mountPoint, 'content'),
      ],
    }),
    // Which the system has in memory, as it has the image.
    directory: [[busybox, 'sh'], join(tree, 'content')],
  };
  const times = Object.fromEntries(Object.keys(ways).map((name) => [name, [[], []]]));
  for (let round = -1; round < 5; round += 1) {
    for (const [name, [command, place]] of Object.entries(ways)) {
      const [first, again] = await reading(command, place);
      if (round < 0) continue;
      times[name][0].push(first);
      times[name][1].push(again);
    }
  }
  for (const [index, when] of ['the first time', 'again'].entries()) {
    const of = (name) => median(times[name][index]);
    const rate = (name) => `${(bytes / 1e6 / (of(name) / 1000)).toFixed(0)} MB/s`;
    const ratio = peer && of('squashfuse_ll') / of('sing');
    report(`every file of an image of ${(bytes / 1e6).toFixed(0)} MB (zstd), ${when}`, {
      sing: rate('sing'),
      'the tree on disk': rate('directory'),
      ...(peer && { squashfuse_ll: rate('squashfuse_ll'), ratio, target: atLeast(ratio, 1.5) }),
    });
  }
}

async function main() {
  const folder = await temporaryFolder();
  try {
    chmodSync(folder.path, 0o755);
    const tree = makeTree(folder.path);
    const [zstd, gzip] = ['zstd', 'gzip'].map((name) =>
      makeSquashfs(tree, join(folder.path, `${name}.squashfs`), name),
    );
    const wanted = values.only.split(',');
    if (wanted.includes('starts')) starts(folder.path, tree, zstd, gzip);
    if (wanted.includes('row')) await row(tree, zstd);
    if (wanted.includes('pipe')) pipe(tree);
    if (wanted.includes('read')) await read(folder.path);
    if (wanted.includes('stock')) stock(folder.path, tree, zstd);
  } finally {
    await folder.remove();
  }
}

if (values.as === 'root' || !againAsUser(import.meta.filename, process.argv.slice(2))) await main();
