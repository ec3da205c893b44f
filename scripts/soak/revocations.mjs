import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Requests } from './requests.mjs';
import { separateServices } from './services.mjs';
import { within } from './until.mjs';

/** What is promised, from the moment when the revocation is sent until the refusal has arrived, in milliseconds. */
const PROMISED = 1000;
/** A service that goes on taking a token hangs. */
const DEADLINE = 10_000;
/** Between two questions: the machine is there for the services. */
const PAUSE = 5;

/** The ways in which a token ends, and the reason that services give afterwards. */
const WAYS = {
  'an administrator revokes it': { reason: 'token_revoked', by: 'admin' },
  'it ends itself': { reason: 'token_revoked', by: 'itself' },
  'its account is disabled': { reason: 'account_disabled', by: 'account' },
};

/** Tokens that end: every service, each in a process of its own, refuses them within a second. */
export async function revocations({ times, folder, random }) {
  const site = await separateServices(folder);
  try {
    await site.start();
    const requests = new Requests(site.ca);
    try {
      const passed = Object.fromEntries(site.services.map(({ name }) => [name, []]));
      for (let round = 0; round < times; round += 1) {
        const holder = await newHolder(requests, site, round);
        await Promise.all(site.services.map((service) => requireTaken(requests, service, holder)));
        const way = WAYS[random.oneOf(Object.keys(WAYS))];
        const began = performance.now();
        const ended = end(requests, site, { ...holder, way });
        const known = site.services.map(async (service) => {
          await untilRefused(requests, service, { ...holder, way });
          passed[service.name].push(performance.now() - began);
          await requireRefused(requests, service, { ...holder, way });
        });
        await within(
          DEADLINE,
          `the end of a token to be known (${way.reason})`,
          Promise.all([ended, ...known]),
        );
      }
      site.requireClean();
      const found = Object.entries(passed).map(([name, list]) => ({ name, p99: percentile(list, 0.99) }));
      const said = found.map(({ name, p99 }) => `${name} ${Math.round(p99)} ms`).join(', ');
      if (found.some(({ p99 }) => p99 > PROMISED))
        throw new Error(`Expected a refusal within ${PROMISED} ms, got p99 ${said}`);
      await site.stop();
      return `${times} tokens ended · refused after (p99) ${said}`;
    } finally {
      requests.close();
    }
  } finally {
    await site.kill();
  }
}

/** A new account with a token. */
async function newHolder(requests, { auth, token: admin }, round) {
  const username = `holder-${round}`;
  const json = { username, password: randomBytes(12).toString('hex') };
  await requests.data(`${auth}/v1/auth/users`, { method: 'POST', token: admin, json });
  const wanted = { name: 'soak', scopes: ['library:read', 'build'], username };
  const { id, token } = await requests.data(`${auth}/v1/auth/tokens`, {
    method: 'POST',
    token: admin,
    json: wanted,
  });
  return { username, id, token };
}

async function end(requests, { auth, token: admin }, { username, id, token, way }) {
  if (way.by === 'account') {
    const json = { disabled: true };
    return requests.data(`${auth}/v1/auth/users/${username}`, { method: 'PATCH', token: admin, json });
  }
  const by = way.by === 'itself' ? token : admin;
  return requests.data(`${auth}/v1/auth/tokens/${id}`, { method: 'DELETE', token: by });
}

async function requireTaken(requests, { name, read }, { token }) {
  const { status } = await requests.answer(read, { token });
  if (status !== 200) throw new Error(`Expected 200 from ${name} for a good token, got ${status}`);
}

async function untilRefused(requests, { name, read }, { token, way }) {
  for (;;) {
    const { status, body } = await requests.answer(read, { token });
    if (isRefusal({ status, body }, way)) return;
    if (status !== 200)
      throw new Error(`Expected 200 or a refusal from ${name}, got ${status} ${JSON.stringify(body)}`);
    await wait(PAUSE);
  }
}

/** Whoever may read no more may change nothing either. */
async function requireRefused(requests, { name, change }, { token, way }) {
  const answer = await requests.answer(change, { method: 'POST', token, json: {} });
  if (!isRefusal(answer, way))
    throw new Error(`Expected a refusal from ${name}, got ${JSON.stringify(answer)}`);
}

function isRefusal({ status, body }, { reason }) {
  return status === 401 && body.error.reason === reason;
}

/** The least value that so many of all are not above. */
function percentile(list, share) {
  return list.toSorted((a, b) => a - b)[Math.ceil(share * list.length) - 1] ?? 0;
}
