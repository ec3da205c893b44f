import { once } from 'node:events';
import { request } from 'node:https';
import { join } from 'node:path';
import { untilNothing } from '../soak/until.mjs';
import { Attempts } from './attempts.mjs';
import { good } from './ask.mjs';
import { CLAIMED_ADDRESSES, CLAIMS, FORWARDED_ADDRESS, HOSTS } from './claims.mjs';
import { isClosed, routesOfServices } from './routes.mjs';
import { World } from './world.mjs';

const SERVICES = 'auth,keystore,library,builder,web';

/**
 * Being on this machine, and saying who one is or where one comes from, gains nothing at any route: without a proxy that was named, and with
 * one, of which nothing but the address of a client is taken.
 */
export async function headers(options) {
  const attempts = new Attempts();
  await Promise.all([
    withWorld(options, 'alone', {}, (world) => tryAll(world, attempts, '127.0.0.1')),
    withWorld(options, 'behind', { SCS_TRUSTED_PROXIES: '127.0.0.1' }, (world) =>
      tryAll(world, attempts, FORWARDED_ADDRESS),
    ),
  ]);
  return `${attempts.count} attempts with ${Object.keys(CLAIMS).length} headers and ${HOSTS.length} hosts, none gained anything`;
}

async function withWorld(options, name, env, work) {
  const world = await World.prepare(
    { ...options, folder: join(options.folder, name) },
    { processes: { [name]: SERVICES }, env: { [name]: env } },
  );
  try {
    await world.start();
    await work(world);
  } finally {
    await world.stop();
  }
}

/** @param address as which the client has to be known */
async function tryAll(world, attempts, address) {
  await gainNothing(world, attempts);
  await isWrittenDown(world, attempts, address);
}

async function gainNothing(world, attempts) {
  const routes = await routesOfServices(SERVICES.split(','));
  const { token } = await world.user('ann', ['library:read']);
  for (const { method, url, ...route } of routes) {
    const [plain, asAnn] = await Promise.all([
      world.at('auth', url, { method }),
      world.at('auth', url, { method, token }),
    ]);
    if (isClosed(route)) await attempts.refused(`${method} ${url} from this machine without a token`, plain);
    const ways = [{ headers: CLAIMS }, ...HOSTS.map((host) => ({ headers: { host, ...CLAIMS } }))];
    const answers = await Promise.all(ways.map((way) => world.at('auth', url, { method, ...way })));
    for (const claimed of answers) {
      attempts.same(`${method} ${url} with claims in headers`, comparable(claimed), comparable(plain));
      reflectsNothing(claimed, `${method} ${url}`);
    }
    const claimed = await world.at('auth', url, { method, token, headers: CLAIMS });
    attempts.same(`${method} ${url} of somebody without the right`, comparable(claimed), comparable(asAnn));
  }
  await attempts.refused('a log socket with claims in headers', upgrade(world));
}

/** Who asked, where it is kept: the trail, and the last use of a token. */
async function isWrittenDown(world, attempts, expected) {
  const { id, token } = await world.user('eve', ['library:read']);
  const headers = { ...CLAIMS, 'user-agent': 'drill' };
  const refusedChanges = [
    ['DELETE', '/v1/images/x1'],
    ['POST', '/v1/entities'],
    ['POST', '/v1/auth/users'],
    ['POST', '/v1/build'],
    ['POST', '/pks/add'],
  ];
  for (const [method, path] of refusedChanges)
    await attempts.refused(`${method} ${path}`, world.at('auth', path, { method, token, headers }), 403);
  const basic = { ...headers, authorization: `Basic ${Buffer.from('eve:wrong').toString('base64')}` };
  await attempts.refused(
    'a wrong password',
    world.at('auth', '/v1/auth/tokens', { headers: basic, json: {} }),
  );
  const admin = world.admin;
  for (const [query, count] of [
    ['actor=eve&outcome=refused', refusedChanges.length],
    ['action=password.check&outcome=refused', 1],
  ])
    for (const { address, action } of await world.trail(query, count))
      attempts.same(`the address of ${action}`, address, expected);
  // Reported a moment after it.
  let lastUsed;
  await untilNothing('unknown last use', async () => {
    const tokens = await good(world.at('auth', '/v1/auth/tokens?username=eve', { token: admin }));
    ({ lastUsed } = tokens.find((one) => one.id === id));
    return lastUsed === null ? [id] : [];
  });
  attempts.same('the address of the last use', lastUsed.address, expected);
}

/** What was signed, when something was, and whether a use is known by now differ from one answer to the next. */
const comparable = ({ status, text }) => [
  status,
  text
    .replaceAll(/eyJ[\w.-]+/g, '(signed)')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '(time)')
    .replaceAll(/"lastUsed":\{[^}]*\}/g, '"lastUsed":null'),
];

function reflectsNothing({ headers, text }, what) {
  const said = JSON.stringify(headers) + text;
  if (/evil|auth\.internal/.test(said) || CLAIMED_ADDRESSES.test(said))
    throw new Error(`Expected nothing of the request in the answer to ${what}, got ${said.slice(0, 300)}`);
}

async function upgrade(world) {
  const sending = request(new URL('/v1/build-ws/0123456789abcdef01234567', world.of('builder').url), {
    ca: world.site.ca,
    headers: {
      ...CLAIMS,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    },
  });
  sending.end();
  const [answer] = await Promise.race([
    once(sending, 'response'),
    once(sending, 'upgrade').then(() => [{ statusCode: 101 }]),
  ]);
  answer.resume?.();
  return { status: answer.statusCode, text: '' };
}
