// Push and pull of images by several clients at once, against Debian's docker-registry on the same disk.
//
//   npm run build && npm run bench:library [-- --sizes MiB,MiB] [--clients N,N] [--rounds N] [--only http|https]
//
// Both servers run as processes of their own, on the same disk; the clients are the same for both (curl for what is more than one part),
// and so are the bytes and what is there at the end: an image under a tag. Rounds are interleaved; the medians are printed as ratios of
// rates to docker-registry = 1 (more is better). "p99" is the time that the slowest of a hundred took, ratio to docker-registry = 1 (less
// is better), where there are so many. "processor" is the time that the server's process needed for it, the same way: on a busy machine it
// says more than the clock. Much at once is done in one round: 16 clients with 1 GiB each need 35 GiB of disk.
//
// What is pushed is acknowledged by the library only after fsync; docker-registry leaves it to the system, and is the measure
// all the same. What is still to be written when a step ends is written before the next one begins, so that nobody pays for
// the other.
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { parseArgs, promisify } from 'node:util';
import { processorTimeOf } from './support/children.mjs';
import { freshImages } from './support/image.mjs';
import { startLibrary } from './support/library.mjs';
import { startRegistry } from './support/registry.mjs';
import { median, percentile, report } from './support/report.mjs';
import { temporaryFolder } from './support/temporary.mjs';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1,10,256,1024' },
    clients: { type: 'string', default: '1,4,16' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
  },
});
const numbers = (text) => text.split(',').map(Number);
const MIB = 1024 * 1024;
/** What one server gets in all rounds of a step, at most. */
const VOLUME = 8 * 1024 * MIB;
/** What each client pushes and pulls one after the other in a round, at least. */
const LEAST = 16 * MIB;

const run = promisify(execFile);

async function timed(action) {
  const begin = performance.now();
  await action();
  return performance.now() - begin;
}

/** All clients at once: milliseconds that it took, those of each image, and those that the server's process worked for it. */
async function measured(server, clients, work) {
  await run('sync');
  const before = processorTimeOf(server.pid);
  const each = [];
  const client = async (images, at) => {
    for (const [turn, image] of images.entries()) each.push(await timed(() => work(image, `c${at}t${turn}`)));
  };
  const time = await timed(() => Promise.all(clients.map(client)));
  return { time, processor: processorTimeOf(server.pid) - before, p99: percentile(each, 0.99) };
}

/** Pushes and pulls of each server, in interleaved rounds. */
async function transfers(servers, size, count) {
  const results = servers.map(() => ({ push: [], pull: [] }));
  const turns = Math.max(1, Math.floor(LEAST / size));
  const rounds = Math.max(1, Math.min(Number(values.rounds), Math.floor(VOLUME / (size * count * turns))));
  const files = folder.sub(`images-${size}-${count}`);
  const images = freshImages(size, count * turns, files);
  const clients = Array.from({ length: count }, (_, at) => images.slice(at * turns, (at + 1) * turns));
  // The first round of several warms up.
  for (let round = rounds === 1 ? 1 : 0; round <= rounds; round += 1) {
    for (const image of images) image.change();
    for (const [index, server] of servers.entries()) {
      const push = await measured(server, clients, (image, tag) => server.push(image, tag));
      const pull = await measured(server, clients, (image) => server.pull(image));
      for (const image of images) await server.remove(image);
      if (round === 0) continue;
      results[index].push.push(push);
      results[index].pull.push(pull);
    }
  }
  await rm(files, { recursive: true });
  return { results, bytes: size * count * turns, each: count * turns };
}

/** The median of one figure. */
const middle = (results, name) => median(results.map((result) => result[name]));

const folder = await temporaryFolder();
try {
  for (const scheme of ['https', 'http']) {
    if (values.only !== undefined && values.only !== scheme) continue;
    const library = await startLibrary({ folder: folder.sub(`library-${scheme}`), scheme });
    const registry = await startRegistry({
      folder: folder.sub(`registry-${scheme}`),
      scheme,
      tls: library.tls,
    });
    try {
      for (const size of numbers(values.sizes))
        for (const count of numbers(values.clients)) {
          const { results, bytes, each } = await transfers([library, registry], size * MIB, count);
          const [ours, theirs] = results;
          for (const what of ['push', 'pull']) {
            const rate = (result) => `${(bytes / 1e3 / middle(result[what], 'time')).toFixed(0)} MB/s`;
            const ratio = (name) => middle(ours[what], name) / middle(theirs[what], name);
            report(`${what} ${size} MiB, ${count} ${count === 1 ? 'client' : 'clients'}, ${scheme}`, {
              library: rate(ours),
              registry: rate(theirs),
              ratio: 1 / ratio('time'),
              ...(each < 100 ? {} : { p99: ratio('p99') }),
              processor: ratio('processor'),
            });
          }
        }
    } finally {
      await registry.stop();
      await library.stop();
    }
  }
} finally {
  await folder.remove();
}
