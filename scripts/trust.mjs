// Asks a running instance for everything that its services describe, without a token and with one that it did not sign. Whatever
// is answered and is not in the table of open routes is a fault. docs/guide/trust.md says what that proves, and what it does not.
//
//   npm run build && npm run trust -- https://scs.example.org [--ca scs-ca.pem]
//
// One line for each service, then what anybody may ask, with the reason; ends with 1 when there is a fault. Changes nothing: no
// request has a token, and all ids in them are zeros.
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { json, text } from 'node:stream/consumers';
import { getCACertificates } from 'node:tls';
import { parseArgs } from 'node:util';
import { OPEN_ROUTES } from '../dist/libs/server/src/auth/open-routes.js';

const { values, positionals } = parseArgs({ options: { ca: { type: 'string' } }, allowPositionals: true });
const [front, ...more] = positionals;
if (front === undefined || more.length > 0 || URL.parse(front)?.protocol !== 'https:')
  throw new Error('Expected one https:// address: that of the front end, as `sing remote add` takes it');

const own = values.ca === undefined ? [] : [readFileSync(values.ca, 'utf8')];
const agent = new Agent({
  keepAlive: true,
  ca: [...getCACertificates('bundled'), ...getCACertificates('system'), ...own],
});
/** `GET /v1/tags/{container}`, as descriptions name routes. */
const open = new Map(
  Object.entries(OPEN_ROUTES).map(([route, reason]) => [
    route.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{path}'),
    reason,
  ]),
);
const services = await servicesOf(front);
const forged = await forgedToken(services.get('auth'));
const faults = [];
const answered = new Set();
for (const [service, address] of services) {
  const routes = await routesOf(service, address);
  for (const route of routes) await tryRoute(service, address, route);
  const closed = routes.filter(({ name }) => !open.has(name)).length;
  process.stdout.write(
    `${service} at ${address}: ${closed} routes need a token, ${routes.length - closed} do not\n`,
  );
}
agent.destroy();
process.stdout.write('\nWhat anybody may ask, and why:\n');
for (const name of [...answered].toSorted((one, other) => one.localeCompare(other)))
  process.stdout.write(`  ${name}: ${open.get(name)}\n`);
for (const fault of faults) process.stderr.write(`FAULT: ${fault}\n`);
process.stdout.write(
  `\n${faults.length === 0 ? 'ok: nothing else is answered without a token' : `${faults.length} faults`}\n`,
);
if (faults.length > 0) process.exitCode = 1;

/** By name, as the front end tells clients (library contract §2.1). */
async function servicesOf(address) {
  const document = await json(await ask(address, '/assets/config/config.prod.json'));
  const known = { auth: 'tokenAPI', keystore: 'keystoreAPI', library: 'libraryAPI', builder: 'builderAPI' };
  const found = Object.entries(known).map(([service, key]) => [service, document[key].uri]);
  return new Map([...found, ['web', address]]);
}

/** What a service describes, and what every process answers. */
async function routesOf(service, address) {
  const described = await Promise.all([service, 'system'].map((name) => descriptionOf(name, address)));
  const names = described.flatMap(({ paths }) =>
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
  return names.map((name) => {
    const [method, template] = name.split(' ');
    return { name, method, path: template.replaceAll(/\{\w+\}/g, '0'.repeat(24)) };
  });
}

async function descriptionOf(name, address) {
  const answer = await ask(address, `/docs/${name}.json`);
  if (answer.statusCode === 200) return json(answer);
  throw new Error(`Expected the description of ${name} at ${address}, got ${answer.statusCode}`);
}

async function tryRoute(service, address, { name, method, path }) {
  if (open.has(name)) {
    answered.add(name);
    return;
  }
  for (const [what, token] of [
    ['without a token', undefined],
    ['with a token that the instance did not sign', forged],
  ]) {
    const answer = await ask(address, path, { method, token });
    const said = await text(answer);
    if (answer.statusCode !== 401)
      faults.push(`${service}: ${name} ${what} is answered by ${answer.statusCode} ${said.slice(0, 200)}`);
  }
}

async function ask(address, path, { method = 'GET', token } = {}) {
  const body = method === 'GET' ? undefined : '{}';
  const sent = request(new URL(path, address), {
    agent,
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
    },
  });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  return answer;
}

/** An administrator's, by its own account: right in everything but the key. */
async function forgedToken(auth) {
  const { issuer, keys } = await json(await ask(auth, '/.well-known/jwks.json'));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Math.floor(Date.now() / 1000);
  const id = '0'.repeat(24);
  const claims = {
    iss: issuer,
    aud: 'scs',
    sub: id,
    jti: id,
    iat: now,
    exp: now + 600,
    scope: 'admin build keystore:write library:read library:write library:delete',
    username: 'admin',
    email: '',
    name: 'admin',
    administrator: true,
    kind: 'user',
  };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'ES256', typ: 'at+jwt', kid: keys[0].kid })}.${part(claims)}`;
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' };
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}
