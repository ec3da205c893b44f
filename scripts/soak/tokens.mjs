import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { brokenTokens } from './broken-tokens.mjs';
import { repeat } from './library.mjs';
import { descriptorsOf, freePort } from './process.mjs';
import { requireNoErrors } from './server.mjs';
import { serverProcess } from './server-process.mjs';
import { within } from './until.mjs';

const WIDTH = 4;
const MIB = 1024 * 1024;
/** An answer that takes longer hangs. */
const PATIENCE = 20_000;
/** Growth after the first requests, when every cache is full and every function compiled. Bounds for leaks, not for speed. */
const HEAP_GROWTH = 12 * MIB;
const RESIDENT_GROWTH = 128 * MIB;
/** Connections come and go. */
const SLACK = 12;
/** Of the log, for each request. */
const LOG_BYTES = 1024;
const ID = '0'.repeat(24);

/** Routes of every service; `status` is what a broken token is answered with, 401 where nothing else is said. */
const TARGETS = [
  { path: '/v1/token-status', status: 404 },
  { path: '/v1/rbac/users/current' },
  { path: '/v1/auth/tokens' },
  { path: '/v1/auth/organisations' },
  { path: '/v1/auth/tokens', method: 'POST', body: '{"name":"x","scopes":["admin"]}' },
  { path: '/v1/auth/uses', method: 'POST', body: '{"address":"192.0.2.1","client":"x"}' },
  { path: '/v1/entities' },
  { path: '/v1/entities', method: 'POST', body: '{"name":"admin"}' },
  // Open to everybody, but not with a bad token.
  { path: '/v1/search?value=anything' },
  { path: '/v1/images/admin/a/b:1' },
  { path: '/v1/imagefile/admin/a/b:1' },
  { path: `/v2/imagefile/${ID}/_complete`, method: 'PUT', body: '{}' },
  { path: `/v2/tags/${ID}` },
  { path: '/pks/add', method: 'POST', body: '' },
  { path: '/v1/build' },
  { path: '/v1/build', method: 'POST', body: '{}' },
  { path: `/v1/build/${ID}/_log?try=${ID}&offset=0`, method: 'PUT', body: 'x' },
  {
    path: `/v1/build-ws/${ID}`,
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    },
  },
];
/** What a client takes for a token. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]{20,}$/;

/** Tokens that are none, at routes of every service: always refused, and nothing of them is kept. */
export async function brokenTokensStage({ times, folder, random }) {
  const home = join(folder, 'home');
  const port = await freePort();
  const server = serverProcess({
    app: 'all-in-one',
    env: {
      SCS_HOME: home,
      SCS_PORT: String(port),
      SCS_SERVICES: 'auth,keystore,library,builder',
      SCS_LOG_LEVEL: 'info',
    },
    words: ['--expose-gc', `--import=${new URL('memory-probe.mjs', import.meta.url).pathname}`],
  });
  const read = (path) => readFileSync(join(home, path), 'utf8');
  try {
    await server.start();
    const ca = read('tls/ca.pem');
    const agent = new Agent({ keepAlive: true, ca });
    const send = async ({ path, method = 'GET', headers = {}, body }, authorization) => {
      const sending = request({
        host: 'localhost',
        port,
        path,
        method,
        agent,
        ca,
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
      });
      sending.end(body);
      const [answer] = await once(sending, 'response');
      let text = '';
      for await (const chunk of answer) text += chunk;
      return { status: answer.statusCode, text };
    };
    const good = read('admin.token').trim();
    const feed = JSON.parse((await send({ path: '/v1/auth/revocations?after=0' })).text).data.signed;
    const tokens = brokenTokens({ good, jwk: signingKey(home), feed, random });
    // Otherwise everything might be refused for another reason.
    const { status: taken } = await send({ path: '/v1/token-status' }, `Bearer ${good}`);
    if (taken !== 200) throw new Error(`Expected 200 for the good token, got ${taken}`);

    const round = async (number) => {
      const kind = tokens.kinds[number % tokens.kinds.length];
      const target = random.oneOf(TARGETS);
      const token = tokens.make(kind);
      const sent = send(...presenting(target, token, random));
      const { status, text } = await within(PATIENCE, `an answer to a token (${kind})`, sent);
      // Nothing is read of headers that are too large, so nobody knows what is asked for.
      const wanted = kind === 'a megabyte' ? 431 : (target.status ?? 401);
      if (status !== wanted || JSON.parse(text).error.code !== wanted)
        throw new Error(
          `Expected ${wanted} for a token (${kind}) at ${target.method ?? 'GET'} ${target.path}, got ${status} ${text.slice(0, 200)}: ${JSON.stringify(token.slice(0, 5000))}`,
        );
    };
    const memory = async () => server.ask({ type: 'memory' });
    const warm = Math.max(tokens.kinds.length, Math.ceil(times / 5));
    await repeat(warm, WIDTH, round);
    const before = await memory();
    const descriptors = descriptorsOf(server.pid).length;
    await repeat(Math.max(0, times - warm), WIDTH, (number) => round(warm + number));
    const after = await memory();
    agent.destroy();
    server.requireRunning();
    const grown = (what) => (after[what] - before[what]) / MIB;
    const said = `heap ${grown('heapUsed').toFixed(1)} MiB, resident ${grown('rss').toFixed(0)} MiB more`;
    if (after.heapUsed > before.heapUsed + HEAP_GROWTH || after.rss > before.rss + RESIDENT_GROWTH)
      throw new Error(`Expected memory to stay flat, got ${said}`);
    const open = descriptorsOf(server.pid);
    if (open.length > descriptors + SLACK)
      throw new Error(`Expected no more descriptors, got ${open.join(' ')}`);
    await server.stop();
    requireQuietLog(read('log/server.log'), Math.max(times, warm));
    return `${times} broken tokens of ${tokens.kinds.length} kinds refused · ${said}`;
  } finally {
    await server.kill();
  }
}

/** The request, and its header: as stock clients write it, as clients do that know nothing but passwords, and as browsers have to. */
function presenting(target, token, random) {
  const ways = [`Bearer ${token}`, `bearer ${token}`, `BEARER ${token}`];
  if (TOKEN.test(token) && token.length >= 200 && token.length <= 4096) {
    ways.push(`Basic ${Buffer.from(`anybody:${token}`).toString('base64')}`);
    if (target.path.startsWith('/v1/build-ws/'))
      return [{ ...target, path: `${target.path}?auth_token=${token}` }, undefined];
  }
  return [target, random.oneOf(ways)];
}

/** The newest one, with its private part: the state folder is ours. */
function signingKey(home) {
  const keys = join(home, 'data/auth/signing-keys');
  return JSON.parse(readFileSync(join(keys, readdirSync(keys).sort().at(-1)), 'utf8'));
}

/** @throws Error for an error of the server, for anything that looks like a token or a part of one, and for too much text */
function requireQuietLog(log, requests) {
  requireNoErrors(log);
  const leak = /eyJ[\w-]{8}|[\w-]{80}/.exec(log);
  if (leak !== null)
    throw new Error(
      `Expected no part of a token in the log, got ${log.slice(Math.max(0, leak.index - 200), leak.index + 100)}`,
    );
  if (log.length > requests * LOG_BYTES + MIB)
    throw new Error(
      `Expected at most ${LOG_BYTES} bytes of log for a request, got ${Math.round(log.length / requests)}`,
    );
}
