// Hours of bad luck in minutes: clients that go away or read slowly, a server that is killed, pushes and pulls with one or the other
// killed, several who change the same images, tags and containers meanwhile, a full disk, builds that are cancelled, many who bring the
// same key, tokens that end and tokens that are none. After each stage the server must still run, no temporary file and no descriptor may
// stay, and nothing that was acknowledged may be lost. `starts` and `start-kills` are about containers, which are started in every way, in a
// row and at once (a fifth), or with some process of them killed at any moment: no process, mount, loop device, cgroup or file may stay.
// `stock-programs` is no bad luck but long: it builds `apptainer` and `singularity` themselves (Go, make, a C compiler; five minutes of processor each, once) and
// does with each of them, on an instance on port 443, what people do. No tenth of it is done.
//
//   npm run build && npm run build:cli && npm run build:native && npm run soak [-- --tenth] [-- --only NAME,NAME]
//
// --<stage> says how often each is done, TIMES below how often by itself, --tenth a tenth of that; --size says how large an image is
// that is pushed and pulled by push-kills and pull-kills (MiB, default 256); --only names stages; --seed repeats a run. One line for each
// stage; ends with 1 when one of them failed. Everything happens in a folder of its own, with instances of its own. Builds need what
// `scripts/up` installs, and busybox. Containers are started as an ordinary user and as root by root, otherwise by the caller.
import { parseArgs } from 'node:util';
import { cancelledBuilds } from './soak/builds.mjs';
import { startKills, starts } from './soak/containers.mjs';
import { cutDownloads } from './soak/downloads.mjs';
import { fullDatabase, fullDisk } from './soak/full.mjs';
import { keysAtOnce } from './soak/keys.mjs';
import { killedServer } from './soak/kills.mjs';
import { libraryHangups } from './soak/library-hangups.mjs';
import { libraryOperations } from './soak/library-operations.mjs';
import { randomFrom } from './soak/random.mjs';
import { revocations } from './soak/revocations.mjs';
import { stockPrograms } from './soak/stock-programs.mjs';
import { temporaryFolder } from './soak/temporary.mjs';
import { brokenTokensStage } from './soak/tokens.mjs';
import { pullKills, pushKills } from './soak/transfer-kills.mjs';
import { cutUploads } from './soak/uploads.mjs';

const STAGES = {
  uploads: cutUploads,
  downloads: cutDownloads,
  kills: killedServer,
  full: fullDisk,
  'full-database': fullDatabase,
  builds: cancelledBuilds,
  keys: keysAtOnce,
  revocations,
  tokens: brokenTokensStage,
  'push-kills': pushKills,
  'pull-kills': pullKills,
  'library-operations': libraryOperations,
  'library-hangups': libraryHangups,
  starts,
  'start-kills': startKills,
  'stock-programs': stockPrograms,
};
const TIMES = {
  uploads: 1000,
  downloads: 1000,
  kills: 30,
  full: 10,
  'full-database': 10,
  builds: 200,
  keys: 1000,
  revocations: 100,
  tokens: 10_000,
  'push-kills': 200,
  'pull-kills': 200,
  'library-operations': 500,
  'library-hangups': 10_000,
  starts: 1000,
  'start-kills': 2000,
  'stock-programs': 1,
};

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    tenth: { type: 'boolean', default: false },
    only: text,
    seed: text,
    size: text,
    ...Object.fromEntries(Object.keys(STAGES).map((name) => [name, text])),
  },
});
const seed = wholeNumber('seed', values.seed) ?? Math.floor(Math.random() * 2 ** 31);
const size = (wholeNumber('size', values.size) ?? 256) * 1024 * 1024;
const chosen = values.only?.split(',') ?? Object.keys(STAGES);
const unknown = chosen.find((name) => !Object.hasOwn(STAGES, name));
if (unknown !== undefined)
  throw new Error(`Expected stages out of ${Object.keys(STAGES).join(', ')}, got ${unknown}`);

process.stdout.write(`seed ${seed}\n`);
for (const name of chosen) {
  const times = wholeNumber(name, values[name]) ?? Math.round(TIMES[name] / (values.tenth ? 10 : 1));
  if (times === 0) continue;
  const folder = await temporaryFolder();
  const begin = performance.now();
  try {
    const random = randomFrom(`${seed} ${name}`);
    const said = await STAGES[name]({ times, folder: folder.path, random, size });
    process.stdout.write(`${name}: ${said} · ${seconds(begin)} · ok\n`);
    await folder.remove();
  } catch (error) {
    process.stderr.write(
      `${name}: FAILED after ${seconds(begin)} with seed ${seed}: ${error.stack}\n  its state is in ${folder.path}\n`,
    );
    process.exitCode = 1;
  }
}

function wholeNumber(name, given) {
  if (given === undefined) return undefined;
  if (!/^\d{1,10}$/.test(given)) throw new Error(`Expected a whole number for --${name}, got ${given}`);
  return Number(given);
}

function seconds(begin) {
  return `${((performance.now() - begin) / 1000).toFixed(0)} s`;
}
