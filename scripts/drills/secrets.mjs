import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { proofAudience } from '#libs/server';
import { good } from './ask.mjs';
import { Attempts } from './attempts.mjs';
import { askForTicket, buildRecord, submitBuild } from './builds.mjs';
import { altered, signers } from './forging.mjs';
import { holdingsOf } from './holdings.mjs';
import { exchangeForm, forgedProofs, forgedTokens, nameOf } from './impostor.mjs';
import { Pushes } from './pushes.mjs';
import { isClosed, routesOfServices } from './routes.mjs';
import { foreignStores, requireNoRightsKept } from './stores.mjs';
import { newId, World } from './world.mjs';

const SERVICES = ['library', 'keystore', 'builder', 'worker'];
const ASKED = ['auth', 'keystore', 'library', 'builder'];

/**
 * Everything that one service holds is stolen, and no token of a user: at the other services it achieves nothing. Each service runs in a
 * process of its own, with a state folder, a certificate and, where it needs one, a user of Redis of its own.
 */
export async function secrets(options) {
  const attempts = new Attempts();
  const world = await World.prepare(options, {
    processes: {
      auth: 'auth',
      keystore: 'keystore',
      library: 'library',
      builder: 'builder',
      worker: 'worker',
    },
    queue: true,
  });
  try {
    await world.start('auth');
    await world.start('keystore', 'library', 'builder');
    const ann = await world.user();
    const container = await new Pushes(world, ann).container('one');
    const waiting = await submitBuild(world, ann);
    const over = await submitBuild(world, ann);
    await good(world.at('builder', `/v1/build/${over}/_cancel`, { method: 'PUT', token: ann.token }));
    // The process of the worker would do the build that waits: what it holds was there before its start.
    const context = {
      issuer: await world.issuer(),
      admin: world.admin,
      trueKey: world.signingKey(),
      routes: (await routesOfServices(ASKED)).filter(isClosed),
      publicKeys: { builder: publicKeyOf(world, 'builder'), worker: publicKeyOf(world, 'worker') },
      waiting,
      over,
      begun: await new Pushes(world, ann).begin(container),
    };
    const before = await everything(world, ann, [waiting, over]);
    let count = 0;
    for (const service of SERVICES) {
      const holdings = holdingsOf(world.of(service));
      if (holdings.keys.length === 0) throw new Error(`Expected keys of ${service}, found none`);
      count += holdings.keys.length + holdings.raw.length + holdings.words.length;
      await asStranger(world, holdings, context, attempts);
      await asAnotherService(world, service, holdings, context, attempts);
      await withItsOwnProof(world, service, context, attempts);
      await foreignStores(world, service, holdings, attempts);
    }
    await foreignAddresses(world, context, attempts);
    attempts.same('what the instance knows', await everything(world, ann, [waiting, over]), before);
    await good(world.at('builder', `/v1/build/${waiting}/_cancel`, { method: 'PUT', token: ann.token }));
    requireNoRightsKept(world, [waiting, over], ann.token, attempts);
    return `${attempts.count} attempts with ${count} secrets of ${SERVICES.length} services, nothing was achieved`;
  } finally {
    await world.stop();
  }
}

/** As somebody who makes tokens of what was stolen, or shows it as it is. */
async function asStranger(world, holdings, context, attempts) {
  const tokens = await forgedTokens(holdings, context);
  const shown = holdings.words.map(({ file, text }) => [
    `${nameOf(file)} as a token`,
    text.replaceAll(/[^\x21-\x7e]/g, ''),
  ]);
  // Every way of signing at one route of each service, and one way at every route.
  await each(ASKED, (service) =>
    each([...tokens, ...shown], ([what, token]) =>
      attempts.refused(`${what} at ${service}`, world.at(service, '/v1/audit', { token })),
    ),
  );
  const [[what, token]] = tokens.slice(1);
  await each(context.routes, ({ service, method, url }) =>
    each([{ token }, {}], (way) =>
      attempts.refused(`${what} at ${method} ${url}`, world.at(service, url, { method, ...way })),
    ),
  );
}

/** As somebody who proves to be another service, with keys that are not its own. */
async function asAnotherService(world, service, holdings, context, attempts) {
  await each(await forgedProofs(holdings, service, context), async ([what, make]) => {
    await exchangesNothing(world, `an exchange of ${what}`, make, context, attempts);
    const json = { clientAssertion: await make('builder'), tryId: newId() };
    await attempts.refused(
      `a ticket for ${what}`,
      world.at('builder', `/v1/build/${context.waiting}/_ticket`, { json }),
    );
  });
}

/** As the service itself, which may prove what it is: that alone is nothing but, for a worker, its work. */
async function withItsOwnProof(world, service, context, attempts) {
  if (context.publicKeys[service] === undefined) return;
  const key = await world.keyOf(service);
  const make = (to) => key.assertion(proofAudience(context.issuer, to));
  await exchangesNothing(world, `an exchange of ${service} without a token`, make, context, attempts);
  const bearer = await make('auth');
  await each(context.routes, ({ service: at, method, url }) =>
    attempts.refused(
      `the proof of ${service} at ${method} ${url}`,
      world.at(at, url, { method, token: bearer }),
    ),
  );
  const ticket = (id, clientAssertion) =>
    world.at('builder', `/v1/build/${id}/_ticket`, { json: { clientAssertion, tryId: newId() } });
  await attempts.refused(
    `the proof of ${service} for auth, at the builder`,
    ticket(context.waiting, await make('auth')),
  );
  const used = await make('builder');
  if (service === 'worker') {
    // The id of a build that waits is what Redis tells workers, and its ticket is their work. There is none for other ids.
    await attempts.refused('a ticket for no build', ticket(newId(), used), 410);
    await attempts.refused('a proof that was used', ticket(newId(), used));
    await attempts.refused(
      'a ticket for a build that is over',
      askForTicket(world, context.over, key, newId()),
      410,
    );
  } else await attempts.refused(`a ticket for ${service}`, ticket(context.waiting, used));
}

/** Every form of an exchange in which there is no token of a user. */
async function exchangesNothing(world, what, make, { admin }, attempts) {
  const header = admin.split('.')[0];
  const subjects = {
    nothing: undefined,
    'an empty token': '',
    'the proof itself': await make('auth'),
    'a token without a signature': `${header}.${admin.split('.')[1]}.`,
  };
  for (const [subject, subject_token] of Object.entries(subjects)) {
    const form = exchangeForm({ subject_token, client_assertion: await make('auth') });
    const { body } = await attempts.refused(
      `${what}, for ${subject}`,
      world.at('auth', '/v1/auth/token', { form }),
      400,
      401,
    );
    attempts.same(`a token for ${what}`, body.access_token ?? null, null);
  }
  const grants = { grant_type: 'client_credentials', scope: 'admin' };
  const form = exchangeForm({ ...grants, client_assertion: await make('auth') });
  await attempts.refused(`${what}, as another grant`, world.at('auth', '/v1/auth/token', { form }), 400);
}

/** The keys that sign addresses of one service sign none of another, and keys that sign other things sign none. */
async function foreignAddresses(world, { begun }, attempts) {
  const sign = signers(world);
  const expires = Math.floor(Date.now() / 1000) + 60;
  const [, , , upload] = begun.address.pathname.split('/');
  const wrong = { ...sign.keys, library: Buffer.alloc(32) };
  for (const [name, key] of Object.entries(wrong)) {
    const signature = sign.upload(upload, '1', expires, key);
    const address = altered(begun.address, { expires, signature });
    await attempts.refused(
      `an upload address by the key ${name}`,
      world.ask(address, { method: 'PUT', body: begun.bytes }),
      403,
    );
  }
}

/** What is known of accounts, tokens, images and builds. */
async function everything(world, user, builds) {
  const asAdmin = (service, path) => world.at(service, path, { token: world.admin });
  const answers = await Promise.all([
    asAdmin('auth', '/v1/auth/users'),
    asAdmin('auth', `/v1/auth/tokens?username=${user.name}`),
    asAdmin('library', '/v1/entities'),
    asAdmin('keystore', '/pks/lookup?op=index&options=mr&search=a'),
  ]);
  const lists = answers.map(({ status, text }) => [
    status,
    text.replaceAll(/"lastUsed":(null|\{[^}]*\})/g, ''),
  ]);
  return [lists, await Promise.all(builds.map((id) => buildRecord(world, id, user)))];
}

function publicKeyOf(world, service) {
  const { home } = world.of(service);
  return JSON.parse(readFileSync(join(home, `service-keys/${service}.json`), 'utf8')).keys[0];
}

const each = (list, work) => Promise.all(list.map(work));
