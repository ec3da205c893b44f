// What an idle instance costs: memory of everything that scripts/up starts, and how long a second start takes.
//
//   npm run build && node bench/instance.mjs [--starts N] [--idle seconds]
//
// A second start is scripts/up on a checkout that is built and a state folder that exists: it looks whether anything has
// changed, starts everything and returns when the instance is healthy. Memory is the sum of the proportional set sizes.
import { basename } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { commandOf, memoryOf, processesBelow } from './support/children.mjs';
import { median, report } from './support/report.mjs';
import { atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { ownInstance } from './support/up.mjs';

const { values } = parseArgs({
  options: { starts: { type: 'string', default: '5' }, idle: { type: 'string', default: '10' } },
});

const folder = await temporaryFolder();
try {
  const instance = await ownInstance(folder.path);
  await instance.up();
  try {
    const starts = [];
    for (let start = 0; start < Number(values.starts); start += 1) {
      await instance.down();
      const begin = performance.now();
      await instance.up();
      starts.push((performance.now() - begin) / 1000);
    }
    const start = median(starts);
    report('second start of scripts/up, until healthy', {
      median: `${start.toFixed(2)} s`,
      slowest: `${Math.max(...starts).toFixed(2)} s`,
      target: atMost(start, 5, ' s'),
    });
    await wait(Number(values.idle) * 1000);
    const programs = processesBelow(instance.endpoint.pid).map((pid) => ({
      name: nameOf(commandOf(pid)),
      size: memoryOf(pid),
    }));
    const sum = programs.reduce((total, { size }) => total + size, 0);
    report(`idle memory ${values.idle} s after the start`, {
      ...Object.fromEntries(programs.map(({ name, size }) => [name, `${size.toFixed(0)} MiB`])),
      sum: `${sum.toFixed(0)} MiB`,
      target: atMost(sum, 350, ' MiB'),
    });
  } finally {
    await instance.down();
  }
} finally {
  await folder.remove();
}

/** `supervisor`, `all-in-one`, `redis-server`: what a person would call the program. */
function nameOf(command) {
  const app = /\/apps\/([\w-]+)\/src\/main\.js/.exec(command)?.[1];
  return app ?? basename(command.split(' ')[0] ?? '');
}
