// Push and pull of a large image, and many small pushes, against Debian's docker-registry on the same disk.
//
//   npm run build && node bench/transfer.mjs [--size MiB] [--rounds N] [--only http|https|small]
//
// Both servers run as processes of their own, on the same disk; the client is the same for both (curl for large bodies), and
// so are the bytes and what is there at the end: an image under a tag. Rounds are interleaved; the medians are printed as
// ratios of rates to docker-registry = 1 (more is better). "processor" is the time that the server's process needed for it,
// ratio to docker-registry = 1 (less is better): on a busy machine it says more than the clock.
//
// What is pushed is acknowledged by the library only after fsync; docker-registry leaves it to the system, and is the measure
// all the same. What is still to be written when a step ends is written before the next one begins, so that nobody pays for
// the other.
import { execFile } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import { processorTimeOf } from './support/children.mjs';
import { freshImageFiles, preparedImage } from './support/image.mjs';
import { startLibrary } from './support/library.mjs';
import { startRegistry } from './support/registry.mjs';
import { median, percentile, report } from './support/report.mjs';
import { temporaryFolder } from './support/temporary.mjs';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
  },
});
const size = Number(values.size) * 1024 * 1024;
const rounds = Number(values.rounds);
const wanted = (name) => values.only === undefined || values.only === name;

const run = promisify(execFile);

async function timed(action) {
  const begin = performance.now();
  await action();
  return performance.now() - begin;
}

/** Milliseconds that a step took, and those that the server's process worked for it. */
async function measured(server, action) {
  await run('sync');
  const before = processorTimeOf(server.pid);
  const time = await timed(action);
  return { time, processor: processorTimeOf(server.pid) - before };
}

/** Pushes and pulls of each server, in interleaved rounds. */
async function large(servers) {
  const results = servers.map(() => ({ push: [], pull: [] }));
  const image = freshImageFiles(size, folder.sub('image'));
  for (let round = 0; round < rounds + 1; round += 1) {
    image.change();
    for (const [index, server] of servers.entries()) {
      const push = await measured(server, () => server.push(image, `round${round}`));
      const pull = await measured(server, () => server.pull(image, `round${round}`));
      await server.remove(image, `round${round}`);
      // The first round warms up.
      if (round > 0) {
        results[index].push.push(push);
        results[index].pull.push(pull);
      }
    }
  }
  return results;
}

const CLIENTS = 10;
const PUSHES = 20;

/** 1 MiB with ten clients: pushes per second and the slowest of them. */
async function small(servers) {
  const results = servers.map(() => []);
  for (let round = 0; round < rounds + 1; round += 1) {
    for (const [index, server] of servers.entries()) {
      const images = Array.from({ length: CLIENTS }, () => preparedImage(1024 * 1024, PUSHES));
      const latencies = [];
      const pushes = async (image, client) => {
        for (let push = 0; push < PUSHES; push += 1) {
          image.next();
          latencies.push(await timed(() => server.push(image, `r${round}c${client}p${push}`)));
        }
      };
      const result = await measured(server, () => Promise.all(images.map(pushes)));
      if (round > 0) results[index].push({ ...result, p99: percentile(latencies, 0.99) });
    }
  }
  return results;
}

/** The median of one figure. */
const middle = (results, name) => median(results.map((result) => result[name]));

const folder = await temporaryFolder();
try {
  for (const scheme of ['https', 'http']) {
    if (!wanted(scheme) && !(scheme === 'http' && wanted('small'))) continue;
    const library = await startLibrary({ folder: folder.sub(`library-${scheme}`), scheme });
    const registry = await startRegistry({
      folder: folder.sub(`registry-${scheme}`),
      scheme,
      tls: library.tls,
    });
    try {
      if (wanted(scheme)) {
        const [ours, theirs] = await large([library, registry]);
        for (const what of ['push', 'pull']) {
          const rate = (results) => `${(size / 1e3 / middle(results, 'time')).toFixed(0)} MB/s`;
          report(`${what} ${values.size} MiB, ${scheme}`, {
            library: rate(ours[what]),
            registry: rate(theirs[what]),
            ratio: middle(theirs[what], 'time') / middle(ours[what], 'time'),
            processor: middle(ours[what], 'processor') / middle(theirs[what], 'processor'),
          });
        }
      }
      if (scheme === 'http' && wanted('small')) {
        const [ours, theirs] = await small([library, registry]);
        const text = (results) =>
          `${((CLIENTS * PUSHES * 1000) / middle(results, 'time')).toFixed(0)}/s, p99 ${middle(results, 'p99').toFixed(0)} ms`;
        report(`push 1 MiB with ${CLIENTS} clients, http`, {
          library: text(ours),
          registry: text(theirs),
          ratio: middle(theirs, 'time') / middle(ours, 'time'),
          p99: middle(ours, 'p99') / middle(theirs, 'p99'),
          processor: middle(ours, 'processor') / middle(theirs, 'processor'),
        });
      }
    } finally {
      await registry.stop();
      await library.stop();
    }
  }
} finally {
  await folder.remove();
}
