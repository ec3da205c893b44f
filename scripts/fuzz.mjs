// Feeds readers of hostile bytes with inputs that are made from known ones, those first that reach new parts of the code. An input
// that ends in anything but an answer, keeps the processor busy for more than a second, or makes the process grow by more than
// 256 MiB is a fault: it is left in .fuzz/ (--failures FOLDER), and the run ends with 1. docs/adr/0017-fuzzing.md says why it is made like this.
//
// "plans" and "starts" are about the native core (npm run build:native -- tests): launch plans that nobody would make are read, and those that are accepted are started.
//
//   npm run fuzz [-- --seconds 60] [-- --only NAME,NAME] [-- --seed N] [-- --keep FOLDER]
//   npm run fuzz -- --only NAME --file FILE      runs one input, for example one that failed
//
// --keep writes inputs that reach something new below FOLDER/<target>; those worth it go to test/fixtures/fuzz.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readPlan, readPlans, startPlans } from './fuzz/plans.mjs';

const READERS = ['sif', 'clear-signed', 'packets', 'envelope', 'ocsp'];
/** Of the native core: what fuzzes it, and what runs one input. */
const CORE = { plans: [readPlans, readPlan], starts: [startPlans, readPlan] };
const TARGETS = [...READERS, ...Object.keys(CORE)];
const MOST_GROWTH = 256 * 1024 * 1024;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const text = { type: 'string' };
const { values } = parseArgs({
  options: { seconds: text, only: text, seed: text, keep: text, file: text, failures: text },
});
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const chosen = values.only?.split(',') ?? TARGETS;
// Those with a planted fault are for the test of this program.
const unknown = chosen.find((name) => !TARGETS.includes(name) && !name.startsWith('planted-'));
if (unknown !== undefined || !(seconds > 0) || !Number.isSafeInteger(seed))
  throw new Error(
    `Expected targets out of ${TARGETS.join(', ')}, seconds above 0 and a whole number as seed`,
  );

for (const name of chosen) {
  if (CORE[name] !== undefined) {
    await runCore(name);
    continue;
  }
  if (values.file !== undefined) {
    if (run([name, '--file', values.file], 'inherit').status !== 0) process.exitCode = 1;
    continue;
  }
  const { status, signal, stdout } = run(
    [name, seconds, seed, values.failures ?? here('../.fuzz'), values.keep ?? ''],
    'pipe',
  );
  if (status !== 0) {
    process.stdout.write(`${name}: FAILED (seed ${seed}${signal === null ? '' : `, ended by ${signal}`})\n`);
    process.exitCode = 1;
    continue;
  }
  const { inputs, reached, known, grown } = JSON.parse(stdout);
  const mib = (grown / 2 ** 20).toFixed(0);
  const fault = grown > MOST_GROWTH ? ' FAILED: too much memory' : '';
  process.stdout.write(
    `${name}: ${inputs} inputs, ${reached} blocks and refusals, ${reached - known} beyond the corpus, ${mib} MiB more (seed ${seed})${fault}\n`,
  );
  if (fault !== '') process.exitCode = 1;
}

async function runCore(name) {
  const [fuzz, one] = CORE[name];
  const failures = values.failures ?? here('../.fuzz');
  try {
    const said = await (values.file === undefined ? fuzz({ seconds, seed, failures }) : one(values.file));
    process.stdout.write(`${name}: ${said} (seed ${seed})\n`);
  } catch (error) {
    process.stdout.write(`${name}: FAILED (seed ${seed})\n${error.message}\n`);
    process.exitCode = 1;
  }
}

function run(parameters, stdout) {
  return spawnSync(
    process.execPath,
    [
      // What is kept for longer than an input shows as a process that runs out of memory.
      '--max-old-space-size=160',
      '--conditions=source',
      '--experimental-transform-types',
      '--disable-warning=ExperimentalWarning',
      `--import=${here('../test/support/typescript-hooks.mjs')}`,
      here('../test/fuzz/main.script.ts'),
      ...parameters.map(String),
    ],
    // Blocks of functions whose code comes from a cache are counted less exactly.
    {
      stdio: ['ignore', stdout, 'inherit'],
      encoding: 'utf8',
      env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' },
    },
  );
}
