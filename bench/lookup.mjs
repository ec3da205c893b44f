// `GET /pks/lookup` of the keystore.
//
//   npm run build && node bench/lookup.mjs [--keys N] [--few N] [--rounds N] [--seconds N] [--connections N]
//
// op=get by fingerprint, key id, subkey and e-mail, against the least that Nest on Fastify can do: a route that answers a
// constant of the same size, with the same headers, over the same transport. Asked for are all keys at random, so that most
// answers have to be read from the database, and a few of them again and again, which are kept in memory.
// op=index by words, with --keys keys against --few keys.
//
// All servers are processes of their own; wrk (Debian) asks them the same kind of questions, in interleaved rounds. The
// keystores run in instances that scripts/up started with its default settings, access log included, but for how often one
// address may ask. Medians of the rates are printed as ratios to the bare route = 1 (more is better), with the slowest hundredth; beside them the processor time that
// the server took for a request, which says the same where the machine has other things to do.
import { parseArgs } from 'node:util';
import { processorTimeOf } from './support/children.mjs';
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
    keys: { type: 'string', default: '100000' },
    few: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '50' },
  },
});
const [keys, few, rounds, seconds, connections] = [
  values.keys,
  values.few,
  values.rounds,
  values.seconds,
  values.connections,
].map(Number);
/** Different questions in one round at most; wrk keeps them all in memory. */
const QUESTIONS = 100_000;
/** One address asks for all: the bounds for one are as far away as they can be, and are kept all the same. */
const MANY_QUESTIONS = { SCS_KEYSTORE_GETS: '1000000', SCS_KEYSTORE_SEARCHES: '1000000' };
/** As long as V8 needs to compile what is asked for most. */
const WARM_UP = 3;

const folder = await temporaryFolder();
const started = [];
try {
  const many = await startKeystore('many', keys);
  const small = await startKeystore('small', few);
  const bare = await startBare(many);
  for (const what of ['fingerprint', 'key id', 'subkey', 'e-mail']) {
    const terms = many.filled.by[what];
    await compareGet(`all ${keys} keys at random, by ${what}`, 'get', shuffled(terms), [many, bare]);
    await compareGet(`${few} of ${keys} keys, by ${what}`, 'hot', shuffled(terms).slice(0, few), [
      many,
      bare,
    ]);
  }
  const { commonWord } = many.filled;
  await compareWords('one word, one key', ({ words }) => words, [many, small]);
  await compareWords('one word, 256 keys', () => [commonWord], [many, small]);
  await compareWords('two words, one key', ({ words }) => words.map((word) => `${commonWord} ${word}`), [
    many,
    small,
  ]);
} finally {
  for (const stop of started.toReversed()) await stop();
  await folder.remove();
}

async function compareGet(what, name, terms, servers) {
  const script = writeRequests(folder.path, name, terms.slice(0, QUESTIONS).map(getOf));
  const [ours, theirs] = await interleaved(servers.map((server) => ({ server, script })));
  const ratio = median(ours.all.map(({ rate }, index) => rate / theirs.all[index].rate));
  report(`${what}, ${connections} connections`, {
    keystore: `${ours.rate.toFixed(0)}/s`,
    bare: `${theirs.rate.toFixed(0)}/s`,
    ratio,
    target: atLeast(ratio, 0.7),
    p99: `${ours.p99.toFixed(1)} ms (bare ${theirs.p99.toFixed(1)} ms)`,
    'its target': atMost(ours.p99, 20, ' ms'),
    processor: `${ours.work.toFixed(1)} µs (bare ${theirs.work.toFixed(1)} µs), ratio ${(theirs.work / ours.work).toFixed(2)}`,
  });
}

async function compareWords(what, termsOf, servers) {
  const runs = servers.map((server, index) => {
    const paths = shuffled(termsOf(server.filled)).slice(0, few).map(indexOf);
    return { server, script: writeRequests(folder.path, `words-${index}`, paths) };
  });
  const [most, fewest] = await interleaved(runs);
  const ratio = median(most.all.map(({ rate }, index) => fewest.all[index].rate / rate));
  report(`search by words, ${what}, ${keys} keys against ${few}`, {
    rates: `${most.rate.toFixed(0)}/s, ${fewest.rate.toFixed(0)}/s`,
    'time ratio': ratio,
    target: atMost(ratio, 1.5),
    processor: `${most.work.toFixed(1)} µs, ${fewest.work.toFixed(1)} µs, ratio ${(most.work / fewest.work).toFixed(2)}`,
  });
}

/** Rounds on all servers in turn; for each the medians of rate, p99 in ms and processor time of a request in µs. */
async function interleaved(runs) {
  const measure = async ({ server, script }, time = seconds) => {
    const before = processorTimeOf(server.pid);
    const result = await load({ base: server.url, script, seconds: time, connections });
    const work = (processorTimeOf(server.pid) - before) * 1000;
    return { ...result, work: work / result.requests };
  };
  for (const run of runs) await measure(run, WARM_UP);
  const results = runs.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const order = [...runs.keys()];
    for (const index of round % 2 === 0 ? order : order.toReversed())
      results[index].push(await measure(runs[index]));
  }
  return results.map((all) => ({
    all,
    rate: median(all.map(({ rate }) => rate)),
    p99: median(all.map(({ p99 }) => p99)),
    work: median(all.map(({ work }) => work)),
  }));
}

function getOf(term) {
  return `/pks/lookup?op=get&options=mr&search=${encodeURIComponent(term)}`;
}

function indexOf(term) {
  return `/pks/lookup?op=index&options=mr&fingerprint=on&search=${encodeURIComponent(term)}`;
}

/** In an order that nobody foresees, the same in every run: a multiplicative generator (Lehmer) draws. */
function shuffled(terms) {
  const list = [...terms];
  let seed = 20_261_126;
  for (let at = list.length - 1; at > 0; at -= 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    const other = seed % (at + 1);
    [list[at], list[other]] = [list[other], list[at]];
  }
  return list;
}

async function startKeystore(name, count) {
  const instance = await ownInstance(folder.sub(name), MANY_QUESTIONS);
  const filled = await fillKeystore(instance.env, count);
  await instance.up();
  started.push(() => instance.down());
  return { instance, filled, url: instance.url, pid: instance.pidOf('server') };
}

/** The bare route, with a constant of the size and the headers of an answer of the keystore. */
async function startBare({ instance, filled }) {
  const ca = instance.ca;
  const keystore = new Client({ base: instance.url, ca });
  const { headers } = await keystore.send('GET', getOf(filled.by.fingerprint[0]));
  keystore.close();
  // Node writes these itself.
  for (const name of ['date', 'connection', 'keep-alive', 'content-length']) delete headers[name];
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const program = new URL('support/bare.mjs', import.meta.url).pathname;
  const client = new Client({ base: url, ca });
  const server = await startProgram(
    process.execPath,
    [program, String(port), instance.certFile, String(filled.bytes), JSON.stringify(headers)],
    {
      isUp: async () => {
        await client.send('GET', '/pks/lookup');
        return true;
      },
    },
  );
  client.close();
  started.push(() => server.stop());
  return { url, pid: server.pid };
}
