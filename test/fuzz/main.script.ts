/**
 * Fuzzes one reader in this process, or runs one input through it. Started by scripts/fuzz.mjs.
 * Parameters: target, seconds, seed, folder for inputs that fail, folder for inputs that reach something new (or nothing);
 * or: target, `--file`, a file.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Coverage } from './coverage.js';
import { Crash, fuzz, nameOf } from './engine.js';
import { Random } from './random.js';
import { PLANTED } from './planted.js';
import { prepare, TARGETS } from './targets.js';
import { Watchdog } from './watchdog.js';

/** Milliseconds of the processor that one input may take. */
const LONGEST_INPUT = 1000;

const [, , name, seconds, seed, failures = '', keep] = process.argv;
const target = [...TARGETS, ...PLANTED].find((one) => one.name === name);
if (target === undefined)
  throw new Error(`Expected one of ${TARGETS.map((one) => one.name).join(', ')}, got ${name}`);
await prepare();

if (seconds === '--file') {
  target.seeds();
  process.stdout.write(`${(await target.run(readFileSync(seed ?? ''))) ?? 'read'}\n`);
} else {
  mkdirSync(failures, { recursive: true });
  const watchdog = new Watchdog(LONGEST_INPUT, join(failures, `${target.name}-hang`));
  try {
    const run = await fuzz({
      target,
      watchdog,
      coverage: new Coverage(
        (url) => target.sources.some((part) => url.includes(part)) && !url.includes('.spec.'),
      ),
      random: new Random(Number(seed)),
      duration: Number(seconds) * 1000,
      found: (input) => {
        if (keep === undefined || keep === '') return;
        mkdirSync(join(keep, target.name), { recursive: true });
        writeFileSync(join(keep, target.name, nameOf(input)), input);
      },
    });
    process.stdout.write(`${JSON.stringify(run)}\n`);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    const file = join(failures, `${target.name}-${nameOf(error.input)}`);
    writeFileSync(file, error.input);
    process.stderr.write(`An input ends in something else than an answer: ${file}\n${error.message}\n`);
    process.exitCode = 1;
  }
  await watchdog.close();
}
