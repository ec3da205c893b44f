// What signatures and listings of images cost.
//
//   npm run build && npm run build:cli && npm run build:native && node bench/sif.mjs [--rounds N] [--mebibytes N] [--images N]
//
// `sing sign` and `sing verify` of an image of 1 GiB against `sha256sum` of the same file, in interleaved rounds, medians. Then many
// images listed by one process, against a process that only opens, reads and closes them; no descriptor may stay open.
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median, report } from './support/report.mjs';
import { atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { SING } from './support/up.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    mebibytes: { type: 'string', default: '1024' },
    images: { type: 'string', default: '10000' },
  },
});
const rounds = Number(values.rounds);
const MIB = 2 ** 20;
/** Header and table of an image with 48 descriptors. */
const part = Buffer.alloc(32176);

const folder = await temporaryFolder();
try {
  signatures();
  await listings(Number(values.images));
} finally {
  await folder.remove();
}

/** Milliseconds of one run of a program. */
function run(program, ...words) {
  const environment = { PATH: '/usr/bin:/bin', HOME: folder.path, TERM: 'dumb', LANG: 'C.UTF-8' };
  const begin = performance.now();
  const { status, stderr } = spawnSync(program, words, {
    env: environment,
    cwd: folder.path,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const time = performance.now() - begin;
  if (status !== 0)
    throw new Error(`Expected status 0 of ${program} ${words.join(' ')}, got ${status}: ${String(stderr)}`);
  return time;
}

function signatures() {
  const [data, image] = [join(folder.path, 'data'), join(folder.path, 'image.sif')];
  randomFile(data, Number(values.mebibytes));
  run(SING, 'key', 'newpair', '--name', 'Bench', '--email', 'bench@example.org', '--password', '');
  run(SING, 'sif', 'new', image);
  const partition = ['--datatype', '4', '--partfs', '1', '--parttype', '2', '--partarch', '2'];
  run(SING, 'sif', 'add', ...partition, '--groupid', '1', image, data);
  const [hashing, signing, verifying] = [[], [], []];
  // The first round fills the cache of the kernel.
  for (let round = -1; round < rounds; round += 1) {
    const hash = run('sha256sum', image);
    const sign = run(SING, 'sign', image);
    const verify = run(SING, 'verify', '--local', image);
    run(SING, 'sif', 'del', '--zero', '--compact', '2', image);
    if (round < 0) continue;
    hashing.push(hash);
    signing.push(sign);
    verifying.push(verify);
  }
  for (const [name, times] of Object.entries({ sign: signing, verify: verifying })) {
    const ratio = median(times) / median(hashing);
    report(`${name} ${values.mebibytes} MiB`, {
      sing: `${median(times).toFixed(0)} ms`,
      sha256sum: `${median(hashing).toFixed(0)} ms`,
      ratio,
      target: atMost(ratio, 1.2),
    });
  }
}

function randomFile(path, mebibytes) {
  const file = openSync(path, 'wx');
  const bytes = Buffer.allocUnsafe(16 * MIB);
  for (let done = 0; done < mebibytes * MIB; done += bytes.length)
    writeSync(file, randomFillSync(bytes).subarray(0, Math.min(bytes.length, mebibytes * MIB - done)));
  closeSync(file);
}

async function listings(count) {
  const { listText, readSif, withSifFile } = await import('../dist/libs/sif/src/index.js');
  const small = new URL('../test/fixtures/sif/images/signed.sif', import.meta.url).pathname;
  mkdirSync(join(folder.path, 'images'));
  const images = Array.from({ length: count }, (_, index) => join(folder.path, 'images', `${index}.sif`));
  for (const image of images) copyFileSync(small, image);
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  const [ours, bare] = [[], []];
  for (let round = -1; round < rounds; round += 1) {
    const begin = performance.now();
    for (const image of images) await withSifFile(image, async (access) => listText(await readSif(access)));
    const between = performance.now();
    for (const image of images) readHeaderAndTable(image);
    if (round < 0) continue;
    ours.push(between - begin);
    bare.push(performance.now() - between);
  }
  report(`list ${count} images in one process`, {
    each: `${((median(ours) * 1000) / count).toFixed(0)} µs`,
    'open, read, close': `${((median(bare) * 1000) / count).toFixed(0)} µs`,
    'descriptors left open': atMost(open() - before, 0),
  });
}

function readHeaderAndTable(image) {
  const file = openSync(image, 'r');
  readSync(file, part, 0, part.length, 0);
  closeSync(file);
}
