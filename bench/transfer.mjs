// Push and pull of a large image, and many small pushes, against Debian's docker-registry on the same disk.
//
//   npm run build && node bench/transfer.mjs [--size MiB] [--rounds N] [--only http|https|small]
//
// Both servers run as processes of their own, on the same disk; the client is the same for both (curl for large bodies),
// and so are the bytes. Rounds are interleaved; the medians are printed as ratios of rates to docker-registry = 1 (more is better). What is pushed is
// acknowledged by the library only after fsync.
import { parseArgs } from 'node:util';
import { freshImage, freshImageFiles } from './support/image.mjs';
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

async function timed(action) {
  const begin = performance.now();
  await action();
  return performance.now() - begin;
}

/** Milliseconds of pushes and pulls of each server, in interleaved rounds. */
async function large(servers) {
  const times = servers.map(() => ({ push: [], pull: [] }));
  const image = freshImageFiles(size, folder.sub('image'));
  for (let round = 0; round < rounds + 1; round += 1) {
    image.change();
    for (const [index, server] of servers.entries()) {
      const push = await timed(() => server.push(image, `round${round}`));
      const pull = await timed(() => server.pull(image, `round${round}`));
      await server.remove(image, `round${round}`);
      // The first round warms up.
      if (round > 0) {
        times[index].push.push(push);
        times[index].pull.push(pull);
      }
    }
  }
  return times;
}

/** 1 MiB with ten clients: pushes per second and the slowest of them. */
async function small(servers) {
  const clients = 10;
  const each = 20;
  const results = servers.map(() => ({ rate: [], p99: [] }));
  for (let round = 0; round < rounds + 1; round += 1) {
    for (const [index, server] of servers.entries()) {
      const latencies = [];
      const run = async (client) => {
        const image = freshImage(1024 * 1024);
        for (let push = 0; push < each; push += 1) {
          image.change();
          latencies.push(await timed(() => server.push(image, `r${round}c${client}p${push}`)));
        }
      };
      const all = await timed(() => Promise.all(Array.from({ length: clients }, (_, client) => run(client))));
      if (round > 0) {
        results[index].rate.push((clients * each * 1000) / all);
        results[index].p99.push(percentile(latencies, 0.99));
      }
    }
  }
  return results;
}

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
        for (const what of ['push', 'pull'])
          report(`${what} ${values.size} MiB, ${scheme}`, {
            library: `${(size / 1e3 / median(ours[what])).toFixed(0)} MB/s`,
            registry: `${(size / 1e3 / median(theirs[what])).toFixed(0)} MB/s`,
            ratio: median(theirs[what]) / median(ours[what]),
          });
      }
      if (scheme === 'http' && wanted('small')) {
        const [ours, theirs] = await small([library, registry]);
        report('push 1 MiB with 10 clients, http', {
          library: `${median(ours.rate).toFixed(0)}/s, p99 ${median(ours.p99).toFixed(0)} ms`,
          registry: `${median(theirs.rate).toFixed(0)}/s, p99 ${median(theirs.p99).toFixed(0)} ms`,
          ratio: median(ours.rate) / median(theirs.rate),
          p99: median(ours.p99) / median(theirs.p99),
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
