// `GET /pks/lookup?op=get` by fingerprint, key id, subkey and e-mail, against the least that Nest on Fastify can do: a route
// that answers a constant of the same size over the same transport.
//
//   npm run build && node bench/lookup.mjs [--keys N] [--rounds N] [--seconds N] [--connections N]
//
// Both servers are processes of their own with the same certificate; wrk (Debian) asks both the same questions, in
// interleaved rounds. The keystore runs in an instance that scripts/up started with its default settings, access log
// included. Medians of the rates are printed as ratios to the bare route = 1 (more is better), with the slowest hundredth.
import { parseArgs } from 'node:util';
import { Client } from './support/http.mjs';
import { fillKeystore } from './support/keys.mjs';
import { freePort, startProgram } from './support/process.mjs';
import { median, report } from './support/report.mjs';
import { atLeast, atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { ownInstance } from './support/up.mjs';
import { load, writeRequests } from './support/wrk.mjs';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '50' },
  },
});
const [keys, rounds, seconds, connections] = [
  values.keys,
  values.rounds,
  values.seconds,
  values.connections,
].map(Number);
/** Different questions in one round; wrk keeps them all in memory. */
const QUESTIONS = 20_000;

const folder = await temporaryFolder();
try {
  const instance = await ownInstance(folder.path);
  const filled = await fillKeystore(instance.env, keys);
  await instance.up();
  const bare = await startBare(instance, filled.bytes).catch(async (error) => {
    await instance.down();
    throw error;
  });
  try {
    for (const { what, terms } of [
      { what: 'fingerprint', terms: filled.byFingerprint },
      { what: 'key id', terms: filled.byId },
      { what: 'subkey', terms: filled.bySubkey },
      { what: 'e-mail', terms: filled.byEmail },
    ]) {
      const script = writeRequests(folder.path, what.replace(' ', '-'), questions(terms));
      const measure = (base, time = seconds) => load({ base, script, seconds: time, connections });
      const servers = [instance.url, bare.url];
      const results = [[], []];
      for (const base of servers) await measure(base, 1);
      for (let round = 0; round < rounds; round += 1) {
        for (const index of round % 2 === 0 ? [0, 1] : [1, 0])
          results[index].push(await measure(servers[index]));
      }
      const [ours, theirs] = results.map((list) => ({
        rate: median(list.map(({ rate }) => rate)),
        p99: median(list.map(({ p99 }) => p99)),
      }));
      const ratio = median(results[0].map(({ rate }, index) => rate / results[1][index].rate));
      report(`lookup by ${what}, ${keys} keys, ${connections} connections`, {
        keystore: `${ours.rate.toFixed(0)}/s`,
        bare: `${theirs.rate.toFixed(0)}/s`,
        ratio,
        target: atLeast(ratio, 0.7),
        p99: `${ours.p99.toFixed(1)} ms (bare ${theirs.p99.toFixed(1)} ms)`,
        'its target': atMost(ours.p99, 20, ' ms'),
      });
    }
  } finally {
    await bare.stop();
    await instance.down();
  }
} finally {
  await folder.remove();
}

/** The questions in an order that no cache foresees, the same in every run. */
function questions(terms) {
  const step = 7919;
  return Array.from({ length: Math.min(QUESTIONS, terms.length) }, (_, index) => {
    const term = terms[(index * step) % terms.length];
    return `/pks/lookup?op=get&options=mr&search=${encodeURIComponent(term)}`;
  });
}

async function startBare(instance, bytes) {
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const program = new URL('support/bare.mjs', import.meta.url).pathname;
  const client = new Client({ base: url, ca: instance.ca });
  const server = await startProgram(
    process.execPath,
    [program, String(port), instance.certFile, String(bytes)],
    {
      isUp: async () => {
        await client.send('GET', '/pks/lookup');
        return true;
      },
    },
  );
  client.close();
  return { url, stop: () => server.stop() };
}
