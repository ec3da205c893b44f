// `POST /pks/add` with RSA-4096 keys, against what OpenPGP.js needs to read such a key and to verify all its signatures.
//
//   npm run build && node bench/submit.mjs [--keys N] [--rounds N] [--accounts N]
//
// The keystore runs in an instance that scripts/up started with its default settings but for the pace of uploads; every key is new to it, so each is
// read, verified, merged, stored and on the disk before it is acknowledged. Several accounts upload at once, each one key after
// the other. OpenPGP.js verifies the same keys in this process, in turn with that. Compared is the processor time of a key (all
// threads), so the ratio is that of the rates of one processor: OpenPGP.js = 1, more is better.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import * as openpgp from 'openpgp';
import { processorTimeOf } from './support/children.mjs';
import { Client } from './support/http.mjs';
import { median, percentile, report } from './support/report.mjs';
import { rsaKeys } from './support/rsa.mjs';
import { atLeast } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { ownInstance } from './support/up.mjs';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '5' },
    accounts: { type: 'string', default: '8' },
  },
});
const [keys, rounds, accounts] = [values.keys, values.rounds, values.accounts].map(Number);

const folder = await temporaryFolder();
try {
  // One round more, in which both sides get warm.
  const all = await rsaKeys(generateKeyPairSync('rsa', { modulusLength: 4096 }), keys * (rounds + 1));
  // The pace of uploads is no part of this.
  const instance = await ownInstance(folder.path, { SCS_KEYSTORE_ADDS: '1000000' });
  await instance.up();
  const client = new Client({ base: instance.url, ca: instance.ca });
  try {
    const pid = instance.pidOf('server');
    const tokens = [];
    for (let index = 0; index < accounts; index += 1)
      tokens.push(await newAccount(client, instance.token, `bench${index}`));
    const [ours, theirs, times] = [[], [], []];
    for (let round = 0; round <= rounds; round += 1) {
      const part = all.slice(round * keys, (round + 1) * keys);
      const turns = [
        async () => {
          const before = processorTimeOf(pid);
          const took = [];
          const left = [...part];
          await Promise.all(
            tokens.map(async (token) => {
              for (let key = left.pop(); key !== undefined; key = left.pop())
                took.push(await submit(client, token, key));
            }),
          );
          if (round > 0) ours.push((processorTimeOf(pid) - before) / keys);
          if (round > 0) times.push(...took);
        },
        async () => {
          const before = processorTimeOf(process.pid);
          for (const key of part) await verify(key);
          if (round > 0) theirs.push((processorTimeOf(process.pid) - before) / keys);
        },
      ];
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    }
    const ratio = median(theirs.map((time, index) => time / ours[index]));
    report(`/pks/add, RSA-4096, ${keys} new keys of ${accounts} accounts`, {
      keystore: `${median(ours).toFixed(2)} ms of processor`,
      'OpenPGP.js': `${median(theirs).toFixed(2)} ms`,
      ratio,
      target: atLeast(ratio, 0.5),
      'until acknowledged': `median ${median(times).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
    });
  } finally {
    client.close();
    await instance.down();
  }
} finally {
  await folder.remove();
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

async function submit(client, token, key) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/pgp-keys' };
  const begin = performance.now();
  await client.send('POST', '/pks/add', { headers, body: Buffer.from(key) });
  return performance.now() - begin;
}

async function verify(armoredKey) {
  const key = await openpgp.readKey({ armoredKey });
  const [{ valid }] = await key.verifyAllUsers();
  if (valid !== true) throw new Error('Expected a valid user id');
  for (const subkey of key.getSubkeys()) await subkey.verify();
}
