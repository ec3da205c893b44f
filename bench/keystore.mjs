// The keystore with few and with many keys: look-ups by whatever a key is found by, and adding one more.
//
//   npm run build && npm run bench:keystore [-- --sizes N,N,…] [--rounds N] [--seconds N] [--connections N] [--adds N]
//
// For each size an instance of its own, which scripts/up started with its default settings, access log included, but for how
// often one address may ask. `scs keys import` brings it the certificates, whose signatures the keystore verifies; then it is
// started anew. Each kind of question is compared with the least that Nest on Fastify can do: a route that answers a constant of
// the same size, with the same headers, over the same transport. All keys are asked for once, which reads the database, and then
// at random, as far as their answers are kept in memory; and a thousand of them again and again.
//
// All servers are processes of their own; wrk (Debian) asks them in interleaved rounds, one after the other. Medians are printed:
// the rate, also as ratio to the bare route = 1 (more is better), half of the requests and the slowest hundredth, and the
// processor time that the server took for a request, which says the same where the machine has other things to do. In the end,
// for each kind, what a request takes with the most keys against the fewest = 1 (less is better).
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeArmor } from '#libs/pgp';
import { certificates } from './support/certificates.mjs';
import { processorTimeOf, residentOf } from './support/children.mjs';
import { Client } from './support/http.mjs';
import { freePort, startProgram } from './support/process.mjs';
import { median, percentile, report } from './support/report.mjs';
import { atLeast, atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { ownInstance, scs } from './support/up.mjs';
import { load, writeRequests } from './support/wrk.mjs';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,10000,100000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '50' },
    adds: { type: 'string', default: '200' },
  },
});
const sizes = values.sizes.split(',').map(Number);
const [rounds, seconds, connections, adds] = [
  values.rounds,
  values.seconds,
  values.connections,
  values.adds,
].map(Number);

/** One address asks for all: the bounds for one are as far away as they can be, and are kept all the same. */
const MANY_QUESTIONS = {
  SCS_SERVICES: 'auth,keystore',
  SCS_KEYSTORE_GETS: '1000000',
  SCS_KEYSTORE_SEARCHES: '1000000',
  SCS_KEYSTORE_ADDS: '1000000',
};
/** As long as V8 needs to compile what is asked for most. */
const WARM_UP = 2;
const ACCOUNTS = 8;
const HOT = 1000;
const get = (term) => `/pks/lookup?op=get&options=mr&search=${encodeURIComponent(term)}`;
const index = (term) => `/pks/lookup?op=index&options=mr&fingerprint=on&search=${encodeURIComponent(term)}`;
/** Questions of each kind. `rate` and `growth` are what is wanted: at least of the bare route, at most from few to many. */
const KINDS = [
  { what: 'get by fingerprint', of: ({ fingerprint }) => get(`0x${fingerprint}`), rate: 0.7 },
  { what: 'get by key id', of: ({ fingerprint }) => get(`0x${fingerprint.slice(-16)}`), rate: 0.7 },
  { what: 'get by subkey', of: ({ subkey }) => get(`0x${subkey}`), rate: 0.7 },
  { what: 'get by e-mail', of: ({ email }) => get(email), rate: 0.7 },
  { what: `get of ${HOT} keys`, of: ({ fingerprint }) => get(`0x${fingerprint}`), rate: 0.7, most: HOT },
  { what: 'index of a fingerprint', of: ({ fingerprint }) => index(`0x${fingerprint}`) },
  { what: 'index of a word, one key', of: ({ words }) => index(words.rare), growth: 1.5 },
  { what: 'index of a word, every key', of: ({ words }) => index(words.common), growth: 1.5, most: 1 },
  {
    what: 'index of two words, one key',
    of: ({ words }) => index(`${words.common} ${words.rare}`),
    growth: 1.5,
  },
].map((kind, at) => ({ ...kind, at }));

const folder = await temporaryFolder();
const started = [];
try {
  const people = makePeople(Math.max(...sizes));
  const stores = [];
  for (const size of sizes) stores.push(await startKeystore(size, people.slice(0, size)));
  const bare = await startBare(stores.at(-1));
  for (const kind of KINDS) await compare(kind, stores, bare);
  await compareAdding(stores, bare);
  for (const { size, pid } of stores)
    report(`memory of the server after all this, ${size} keys`, { resident: mebibytes(residentOf(pid)) });
} finally {
  for (const stop of started.toReversed()) await stop();
  await folder.remove();
}

/** What certificates are found by; they themselves are in one file for each size. */
function makePeople(count) {
  const began = performance.now();
  const parts = [];
  const people = [];
  for (const { bytes, ...person } of certificates(count)) {
    parts.push(bytes);
    people.push(person);
    if (sizes.includes(people.length)) writeFileSync(fileOf(people.length), Buffer.concat(parts));
  }
  process.stderr.write(`Made ${count} certificates in ${secondsSince(began)}\n`);
  return people;
}

function fileOf(size) {
  return join(folder.path, `${size}.gpg`);
}

async function startKeystore(size, people) {
  const instance = await ownInstance(folder.sub(String(size)), MANY_QUESTIONS);
  await instance.up();
  started.push(() => instance.down());
  const began = performance.now();
  const { imported } = JSON.parse(await scs(instance, ['keys', 'import', '--json', fileOf(size)]));
  if (imported.inserted !== size)
    throw new Error(`Expected ${size} new keys, got ${JSON.stringify(imported)}`);
  const took = (performance.now() - began) / 1000;
  const resident = residentOf(instance.pidOf('server'));
  await instance.down();
  const again = performance.now();
  await instance.up();
  const pid = instance.pidOf('server');
  report(`scs keys import of ${size} keys`, {
    rate: `${(size / took).toFixed(0)}/s`,
    'all of them': `${took.toFixed(1)} s`,
    'memory of the server after it': mebibytes(resident),
    'after another start': mebibytes(residentOf(pid)),
    'which takes': secondsSince(again),
  });
  return { size, people, instance, pid, url: instance.url, base: instance.url };
}

async function compare({ what, of, rate, growth, most, at }, stores, bare) {
  const runs = stores.map((store) => {
    const paths = store.people.slice(0, most).map(of);
    const script = writeRequests(folder.path, `${at}-${store.size}`, paths);
    return { server: store, script, paths: paths.length };
  });
  const constant = {
    server: bare,
    script: writeRequests(folder.path, `${at}-bare`, [bare.paths[at]]),
    paths: 1,
  };
  const [theirs, ...ours] = await interleaved([constant, ...runs]);
  for (const [place, { size }] of stores.entries())
    tell(`${what}, ${size} keys, ${connections} connections`, ours[place], theirs, rate);
  tellGrowth(what, ours, growth);
}

function tell(what, ours, theirs, rate) {
  const ratio = median(ours.all.map((one, round) => one.rate / theirs.all[round].rate));
  const [work, bareWork] = [ours, theirs].map(({ work: time }) => time.toFixed(0));
  const first =
    ours.first && `${ours.first.rate.toFixed(0)}/s, ${ours.first.work.toFixed(0)} µs of processor`;
  report(what, {
    rate: `${ours.rate.toFixed(0)}/s`,
    bare: `${theirs.rate.toFixed(0)}/s`,
    ratio,
    ...(rate !== undefined && { target: atLeast(ratio, rate) }),
    p50: `${ours.p50.toFixed(1)} ms`,
    p99: `${ours.p99.toFixed(1)} ms (bare ${theirs.p99.toFixed(1)} ms)`,
    ...(rate !== undefined && { 'its target': atMost(ours.p99, 20, ' ms') }),
    processor: `${work} µs (bare ${bareWork} µs), ratio ${(theirs.work / ours.work).toFixed(2)}`,
    ...(first && { 'each for the first time': first }),
  });
}

/** What a request takes where there are most keys, by what it takes where there are fewest. */
function tellGrowth(what, ours, growth) {
  const [fewest, most] = [ours[0], ours.at(-1)];
  if (fewest === most) return;
  const ratio = median(most.all.map((one, round) => fewest.all[round].rate / one.rate));
  report(`${what}, from ${sizes[0]} keys to ${sizes.at(-1)}`, {
    'time ratio': ratio,
    ...(growth !== undefined && { target: atMost(ratio, growth) }),
    'of processor time': (most.work / fewest.work).toFixed(2),
  });
}

/** Rounds on all servers in turn; of each the medians of rate, latencies in ms and processor time of a request in µs. */
async function interleaved(runs) {
  const measure = ({ server, script }, round) => working(server, { script, seed: round + 1, seconds });
  const first = [];
  for (const run of runs) first.push(await askEach(run));
  const results = await inRounds(runs, measure);
  return results.map((result, at) => ({ ...result, first: first[at] }));
}

/** Every question once, one after the other: nothing of it is in memory yet. V8 compiles meanwhile what is asked for most. */
async function askEach({ server, script, paths }) {
  const parts = [];
  for (let asked = 0; asked < paths; asked += parts.at(-1).requests)
    parts.push(await working(server, { script, skip: asked, seconds: WARM_UP }));
  return Object.fromEntries(['rate', 'work'].map((name) => [name, median(parts.map((part) => part[name]))]));
}

async function working(server, order) {
  const before = processorTimeOf(server.pid);
  const result = await load({ base: server.url, connections, ...order });
  const work = (processorTimeOf(server.pid) - before) * 1000;
  return { ...result, p50: result.median, work: work / result.requests };
}

async function inRounds(runs, measure) {
  const results = runs.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const order = [...runs.keys()];
    for (const at of round % 2 === 0 ? order : order.toReversed())
      results[at].push(await measure(runs[at], round));
  }
  return results.map((all) => {
    const medians = ['rate', 'p50', 'p99', 'work'].map((name) => [name, median(all.map((one) => one[name]))]);
    return { all, ...Object.fromEntries(medians) };
  });
}

/** `POST /pks/add`: new keys, each brought by one of several accounts, one after the other by each. */
async function compareAdding(stores, bare) {
  const every = [];
  for (const { bytes } of certificates(adds * (rounds + 1), { from: 10_000_000 }))
    every.push(writeArmor(bytes));
  const lanes = [];
  for (const store of [bare, ...stores]) {
    const client = new Client({ base: store.base, ca: store.instance.ca });
    const tokens = [];
    for (let number = 0; number < ACCOUNTS; number += 1)
      tokens.push(store === bare ? 'none' : await newAccount(client, store.instance.token, `bench${number}`));
    lanes.push({ server: store, client, tokens });
  }
  // The first part makes them warm.
  const partOf = (round) => every.slice((round + 1) * adds, (round + 2) * adds);
  for (const lane of lanes) await addAll(lane, partOf(-1));
  const [theirs, ...ours] = await inRounds(lanes, (lane, round) => addAll(lane, partOf(round)));
  for (const { client } of lanes) client.close();
  for (const [place, { size }] of stores.entries())
    tell(`add, ${size} keys, ${ACCOUNTS} accounts`, ours[place], theirs);
  tellGrowth('add', ours, 1.5);
}

async function addAll({ server, client, tokens }, part) {
  const left = [...part];
  const times = [];
  const began = performance.now();
  const before = processorTimeOf(server.pid);
  await Promise.all(
    tokens.map(async (token) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/pgp-keys' };
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        const sent = performance.now();
        await client.send('POST', '/pks/add', { headers, body: Buffer.from(key) });
        times.push(performance.now() - sent);
      }
    }),
  );
  return {
    rate: (part.length * 1000) / (performance.now() - began),
    p50: median(times),
    p99: percentile(times, 0.99),
    work: ((processorTimeOf(server.pid) - before) * 1000) / part.length,
  };
}

/** The token of a new account that may add keys. */
async function newAccount(client, administrator, username) {
  const headers = { authorization: `Bearer ${administrator}` };
  const password = randomBytes(16).toString('hex');
  await client.send('POST', '/v1/auth/users', { headers, body: { username, password } });
  const body = { name: 'bench', scopes: ['keystore:write'], username };
  const { json } = await client.send('POST', '/v1/auth/tokens', { headers, body });
  return json.data.token;
}

/** The bare routes, one for each kind, with a constant of the size and the headers of an answer of the keystore. */
async function startBare({ instance, people }) {
  const keystore = new Client({ base: instance.url, ca: instance.ca });
  const routes = [];
  for (const { of } of KINDS) {
    const { headers, count } = await keystore.send('GET', of(people[0]));
    // Node writes these itself.
    for (const name of ['date', 'connection', 'keep-alive', 'content-length']) delete headers[name];
    routes.push({ bytes: count, headers });
  }
  keystore.close();
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const program = new URL('support/bare.mjs', import.meta.url).pathname;
  const client = new Client({ base: url, ca: instance.ca });
  const server = await startProgram(
    process.execPath,
    [program, String(port), instance.certFile, JSON.stringify(routes)],
    {
      isUp: async () => {
        await client.send('GET', '/pks/0');
        return true;
      },
    },
  );
  client.close();
  started.push(() => server.stop());
  // The same length of request as the keystore gets.
  const paths = KINDS.map(({ of, at }) => of(people[0]).replace('lookup', String(at)));
  return { url, base: url, pid: server.pid, instance, paths };
}

function secondsSince(began) {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}

function mebibytes(size) {
  return `${size.toFixed(0)} MiB`;
}
