// Runs every bench, one after the other, and prints one table of what they found.
//
//   npm run bench [-- --wait seconds] [-- --only name,name]
//
// --wait lets it wait that long (before each) until the machine has little to do: the load of the last minute below 1.
// See docs/bench.md for what each figure means. Ends with 1 when a bench failed, never because of a figure.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { wait: { type: 'string', default: '0' }, only: { type: 'string' } },
});
const BENCHES = [
  'start',
  'cli',
  'keystore',
  'library-search',
  'submit',
  'build',
  'library',
  'sif',
  'instance',
];

const rows = [];
const failed = [];
for (const name of values.only?.split(',') ?? BENCHES) {
  const file = new URL(`${name}.mjs`, import.meta.url).pathname;
  if (!existsSync(file)) throw new Error(`Expected one of ${BENCHES.join(', ')}, got ${name}`);
  await untilQuiet(Number(values.wait));
  process.stderr.write(`${name} (load ${loadavg()[0]?.toFixed(2)}) …\n`);
  if (!(await runBench(file, name))) failed.push(name);
}
printTable();
if (failed.length > 0) {
  process.stdout.write(`\nFailed: ${failed.join(', ')}\n`);
  process.exitCode = 1;
}

async function untilQuiet(seconds) {
  for (const end = performance.now() + seconds * 1000; (loadavg()[0] ?? 0) >= 1;) {
    if (performance.now() > end) return;
    await wait(2000);
  }
}

/** Every line of a bench is `what: figures`; others are remarks. */
async function runBench(file, name) {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    process.stderr.write(`  ${line}\n`);
    const [, what, figures] = /^(.+?): +(.+)$/.exec(line) ?? [];
    if (what !== undefined) rows.push([name, what, figures]);
  }
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('exit', resolve));
  return child.exitCode === 0;
}

function printTable() {
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  process.stdout.write(
    `\n${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'processor'}, ${memory} GiB, Linux ${release()}, Node ${process.version}\n\n`,
  );
  const all = [['bench', 'what', 'figures'], ['---', '---', '---'], ...rows];
  for (const row of all) process.stdout.write(`| ${row.join(' | ')} |\n`);
}
