// Builds: how soon the log begins, what a remote build costs more than a local one, and how fast a cancelled one is gone.
//
//   npm run build && npm run build:cli && npm run build:native && node bench/build.mjs [--rounds N] [--cancels N]
//
// The definition is a root with one static program (busybox, Debian: busybox-static) and a %post that does nothing. Remote is
// measured from the submission until the image is in the library and the log has ended; local is `sing build` of the same
// definition. Rounds are interleaved; the ratio is that of the medians (1 = as fast as local, less is better).
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { builderOf } from './support/builds.mjs';
import { commandOf, processesBelow } from './support/children.mjs';
import { median, percentile, report } from './support/report.mjs';
import { atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { ownInstance, SING } from './support/up.mjs';

const run = promisify(execFile);
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, cancels: { type: 'string', default: '20' } },
});

const BASE = 'bootstrap: scratch\n%files\n/bin/busybox /bin/busybox\n/bin/busybox /bin/sh\n';
const EMPTY = `${BASE}%post\n:\n`;
/** A number of seconds that nobody else sleeps. */
const SLEEP = '86399';
const SLEEPING = `${BASE}%post\n/bin/busybox sleep ${SLEEP}\n`;
/** Milliseconds after which a cancelled build counts as one that stays. */
const PATIENCE = 20_000;

const folder = await temporaryFolder();
try {
  const instance = await ownInstance(folder.path);
  await instance.up();
  const builder = await builderOf(instance, folder.sub('work'));
  try {
    await compare(instance, builder);
    await cancel(instance, builder);
  } finally {
    await builder.close();
    await instance.down();
  }
} finally {
  await folder.remove();
}

async function compare(instance, builder) {
  const definition = join(folder.path, 'empty.def');
  await writeFile(definition, EMPTY);
  const sing = async (...words) => {
    const image = join(folder.path, 'built.sif');
    const begin = performance.now();
    await run(SING, ['build', ...words, image, definition], { env: instance.env, cwd: folder.path });
    const time = performance.now() - begin;
    await rm(image);
    return time;
  };
  const [first, engine, remote, local, command] = [[], [], [], [], []];
  for (let round = 0; round < Number(values.rounds) + 1; round += 1) {
    // `sing build --remote` gives its files up again when it is done.
    const context = await builder.sendFiles(EMPTY);
    const begin = performance.now();
    let began;
    let started;
    let log = '';
    const id = await builder.submit(EMPTY, context);
    await builder.follow(id, (text) => {
      began ??= performance.now();
      log += text;
      if (log.includes('Starting build')) started ??= performance.now();
    });
    const end = performance.now();
    await builder.requireImage(id);
    const localTime = await sing();
    const commandTime = await sing('--remote');
    // The first round warms up.
    if (round === 0) continue;
    first.push(began - begin);
    engine.push(started - begin);
    remote.push(end - begin);
    local.push(localTime);
    command.push(commandTime);
  }
  const ms = (number) => `${number.toFixed(0)} ms`;
  const p95 = percentile(first, 0.95);
  report('submit until the first log line', {
    median: ms(median(first)),
    p95: ms(p95),
    'until its program speaks': `${ms(median(engine))}, p95 ${ms(percentile(engine, 0.95))}`,
    target: `p95 ${atMost(p95, 250, ' ms')}`,
  });
  const ratio = median(remote) / median(local);
  report('remote build with an empty %post, until the image is in the library', {
    remote: ms(median(remote)),
    local: ms(median(local)),
    ratio,
    target: atMost(ratio, 1.3),
    'sing build --remote': ms(median(command)),
  });
}

/** From the answer to the cancellation being asked for until no process of the build is left, seen from outside. */
async function cancel(instance, builder) {
  const context = await builder.sendFiles(SLEEPING);
  const root = instance.endpoint.pid;
  const idle = new Set(processesBelow(root));
  const left = () => processesBelow(root).filter((pid) => !idle.has(pid));
  const times = [];
  for (let round = 0; round < Number(values.cancels); round += 1) {
    const id = await builder.submit(SLEEPING, context);
    const following = builder.follow(id, () => undefined);
    await until(() => left().some((pid) => commandOf(pid).includes(`sleep ${SLEEP}`)));
    const begin = performance.now();
    await builder.cancel(id);
    await until(() => left().length === 0);
    times.push(performance.now() - begin);
    await following;
  }
  const p99 = percentile(times, 0.99);
  report('cancel until no process is left', {
    median: `${median(times).toFixed(0)} ms`,
    p99: `${p99.toFixed(0)} ms`,
    target: `p99 ${atMost(p99, 1000, ' ms')}`,
  });
}

async function until(look) {
  for (const end = performance.now() + PATIENCE; !look();) {
    if (performance.now() > end) throw new Error('Expected a change among the processes of the build');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
