import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect, createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#libs/config';
import { ANY_PORT, startApp, type StartedApp } from '../../support/app.js';
import { makeCertificate } from '../../support/certificates.js';
import { temporaryFolder } from '../../support/temporary.js';

const env = { SCS_SERVICES: 'auth' };

describe('SCS_HTTP_PORT', () => {
  let app: StartedApp;
  let port: number;
  beforeAll(async () => {
    app = await startApp({ modules: [], env: { ...env, SCS_HTTP_PORT: ANY_PORT } });
    port = app.config.httpPort ?? 0;
  });
  afterAll(() => app.stop());

  /** Sends bytes as they are and returns the head of the answer, with names in lower case. */
  const say = async (
    text: string,
  ): Promise<{ status: number; headers: Record<string, string>; text: string }> => {
    const socket = connect(port, '127.0.0.1');
    socket.end(text);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    const [head = '', ...body] = answer.split('\r\n\r\n');
    const [line = '', ...fields] = head.split('\r\n');
    const pairs = fields.map((field) => field.split(/: (.*)/s, 2) as [string, string]);
    const headers = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]));
    return { status: Number(line.split(' ')[1]), headers, text: body.join('\r\n\r\n') };
  };

  it('is off unless it was asked for', () => {
    expect(loadConfig({}).httpPort).toBeUndefined();
  });

  it.each([
    '/',
    '/healthz',
    '/v1/token-status',
    '/v1/imagefile/a/b/c:1?arch=amd64',
    '/ca.pem',
    '/auth/tokens',
  ])('answers %s with a 307 to https and nothing else', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const { status, headers, text } = await say(
        `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nContent-Length: 0\r\n\r\n`,
      );
      expect([status, headers.location, text]).toEqual([307, `${app.url}${path}`, '']);
      expect(Object.keys(headers).sort()).toEqual(['connection', 'content-length', 'date', 'location']);
    }
  });

  it.each([
    'evil.example.org',
    'evil.example.org:443',
    'localhost@evil.example.org',
    'localhost.evil.example.org',
    '',
    '[::1]',
    'a b',
    '/evil.example.org',
  ])('goes to the own address whatever the Host header says: %j', async (host) => {
    const { status, headers } = await say(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(status).toBe(307);
    expect(headers.location).toBe(`${app.url}/x`);
  });

  it.each([
    ['//evil.example.org/', '//evil.example.org/'],
    ['///evil.example.org', '///evil.example.org'],
    ['/\\evil.example.org', '/\\evil.example.org'],
    ['http://evil.example.org/x', '/'],
    ['@evil.example.org', undefined],
    ['.evil.example.org/', undefined],
    [':1@evil.example.org/', undefined],
    ['*', '/'],
    ['/%0d%0aSet-Cookie:%20a=b', '/%0d%0aSet-Cookie:%20a=b'],
    ['/..//evil.example.org', '/..//evil.example.org'],
  ])('goes to the own address whatever the path says: %s', async (target, path) => {
    const { status, headers } = await say(
      `GET ${target} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.example.org\r\n\r\n`,
    );
    const own = new URL(app.url);
    if (path === undefined && status === 400) return;
    expect([status, headers.location]).toEqual([307, `${app.url}${path ?? '/'}`]);
    expect(new URL(headers.location ?? '').origin).toBe(own.origin);
    expect(headers).not.toHaveProperty('set-cookie');
  });

  it('upgrades to nothing, and is no proxy', async () => {
    const upgrade =
      'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13';
    expect((await say(`GET /v1/build-ws/1 HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n\r\n`)).status).toBe(307);
    expect((await say('CONNECT evil.example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n')).text).toBe('');
  });
});

describe('Strict-Transport-Security', () => {
  const shown = async (started: StartedApp, path: string): Promise<unknown> =>
    (await started.request(path)).headers['strict-transport-security'];

  it('is not said with a certificate of the own authority', async () => {
    const app = await startApp({ modules: [], env });
    for (const path of ['/healthz', '/nothing']) expect(await shown(app, path)).toBeUndefined();
    await app.stop();
  });

  it('is said with a certificate of the site, with every answer over https and none over http', async () => {
    const folder = await temporaryFolder();
    const { cert, key } = await makeCertificate(new Date(Date.now() - 1e6), new Date(Date.now() + 1e6));
    const files = { cert: join(folder.path, 'c.pem'), key: join(folder.path, 'k.pem') };
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    const app = await startApp({
      modules: [],
      env: {
        ...env,
        SCS_TLS_CERT_FILE: files.cert,
        SCS_TLS_KEY_FILE: files.key,
        SCS_HTTP_PORT: ANY_PORT,
      },
    });
    for (const path of ['/healthz', '/nothing']) expect(await shown(app, path)).toBe('max-age=31536000');
    const plain = await request(`http://127.0.0.1:${app.config.httpPort}/healthz`);
    expect(plain.headers).not.toHaveProperty('strict-transport-security');
    await plain.body.dump();
    await app.stop();
    await folder.remove();
  });
});

describe('SCS_INSECURE_HTTP', () => {
  const ask = async (app: StartedApp) => {
    const answer = await request(`http://127.0.0.1:${app.config.port}/version`, {
      headers: { 'x-forwarded-for': '192.0.2.1' },
    });
    await answer.body.dump();
    const lines = readFileSync(join(app.home, 'log/test.log'), 'utf8').trim().split('\n');
    const { address } = JSON.parse(lines.findLast((line) => line.includes('/version')) ?? '{}') as {
      address: string;
    };
    return { status: answer.statusCode, address, hsts: answer.headers['strict-transport-security'] };
  };
  const behind = { ...env, SCS_INSECURE_HTTP: 'yes', SCS_PUBLIC_URL: 'https://scs.example.org' };

  it('speaks plain HTTP, and takes no word for where a request comes from', async () => {
    const app = await startApp({ modules: [], env: behind });
    expect(await ask(app)).toEqual({ status: 200, address: '127.0.0.1', hsts: undefined });
    await app.stop();
  });

  it('takes it from a proxy that was named', async () => {
    const app = await startApp({ modules: [], env: { ...behind, SCS_TRUSTED_PROXIES: '127.0.0.1' } });
    expect(await ask(app)).toEqual({ status: 200, address: '192.0.2.1', hsts: undefined });
    await app.stop();
  });
});

describe('a start', () => {
  it('says in one sentence that the port is taken', async () => {
    const other = createNetServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const { port } = other.address() as { port: number };
    await expect(startApp({ modules: [], env: { ...env, SCS_PORT: String(port) } })).rejects.toThrow(
      `Port ${port} of 127.0.0.1 is taken by another program`,
    );
    other.close();
  });

  it('says in one sentence that the address is not one of this machine', async () => {
    await expect(startApp({ modules: [], env: { ...env, SCS_HOST: '192.0.2.1' } })).rejects.toThrow(
      'This machine has no address 192.0.2.1',
    );
  });
});
