import { METHODS as METHODS_OF_NODE } from 'node:http';
import { connect } from 'node:net';
import { randomBytes, randomInt } from 'node:crypto';
import { connect as connectTls } from 'node:tls';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#libs/config';
import { Readiness } from '#libs/server';
import { startApp, type StartedApp } from '../../support/app.js';
import { askMetrics, METRICS_ON, metricsPort, Numbers } from '../../support/metrics.js';
import { freePort } from '../../support/ports.js';
import { EXAMPLE_ROUTES, ExampleModule } from './example.js';

const env = { SCS_SERVICES: 'web', ...urls() };

function urls(): Record<string, string> {
  return Object.fromEntries(
    ['AUTH', 'KEYSTORE', 'LIBRARY', 'BUILDER'].map((name) => [`SCS_${name}_URL`, 'https://localhost:1']),
  );
}

/** All that Node lets through, but those that ask for another connection. */
const METHODS = METHODS_OF_NODE.filter((method) => method !== 'CONNECT');

const refused = (port: number, host: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve('open');
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? ''));
  });

describe('SCS_METRICS_PORT', () => {
  let app: StartedApp;
  let port: number;
  beforeAll(async () => {
    app = await startApp({
      modules: [ExampleModule],
      env: { ...env, ...METRICS_ON },
      alsoOpen: EXAMPLE_ROUTES,
    });
    port = metricsPort(app);
  });
  afterAll(() => app.stop());

  it('is off unless it was asked for', async () => {
    expect(loadConfig({}).metrics).toBeUndefined();
    const off = await startApp({ modules: [], env });
    expect((await off.request('/metrics')).status).toBe(404);
    await off.stop();
  });

  it('leaves the public port as it is: there is nothing at /metrics', async () => {
    expect((await app.request('/metrics')).status).toBe(404);
  });

  it('listens on loopback alone unless told otherwise', async () => {
    expect(loadConfig({ SCS_METRICS_PORT: '9464', SCS_HOST: '0.0.0.0' }).metrics).toEqual({
      host: '127.0.0.1',
      port: 9464,
    });
    expect(await refused(port, '127.0.0.1')).toBe('open');
    expect(await refused(port, '127.0.0.2')).toBe('ECONNREFUSED');
  });

  it('listens where SCS_METRICS_HOST says', async () => {
    const other = await startApp({
      modules: [],
      env: { ...env, ...METRICS_ON, SCS_METRICS_HOST: '127.0.0.2' },
    });
    expect(await refused(metricsPort(other), '127.0.0.2')).toBe('open');
    expect(await refused(metricsPort(other), '127.0.0.1')).toBe('ECONNREFUSED');
    // And its certificate is good for that address.
    const answer = await request(`https://127.0.0.2:${metricsPort(other)}/metrics`, {
      dispatcher: other.dispatcher,
    });
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, expect.stringContaining('scs_')]);
    await other.stop();
  });

  it('closes with the process', async () => {
    const other = await startApp({ modules: [], env: { ...env, ...METRICS_ON } });
    expect(await refused(metricsPort(other), '127.0.0.1')).toBe('open');
    await other.stop();
    expect(await refused(metricsPort(other), '127.0.0.1')).toBe('ECONNREFUSED');
  });

  it('is one port, that of nobody else, and says so when it is taken', async () => {
    const taken = await freePort();
    for (const [name, value] of [
      ['SCS_PORT', String(taken)],
      ['SCS_HTTP_PORT', String(taken)],
    ] as const)
      expect(() => loadConfig({ [name]: value, SCS_METRICS_PORT: String(taken) })).toThrow(
        `Expected a port of its own for SCS_METRICS_PORT, got ${taken}`,
      );
    await expect(startApp({ modules: [], env: { ...env, SCS_METRICS_PORT: String(port) } })).rejects.toThrow(
      `Port ${port} of 127.0.0.1 is taken by another program`,
    );
  });

  it('speaks TLS with the certificate of the instance', async () => {
    await expect(request(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow(
      /closed|reset|socket|expected/i,
    );
    const { status, headers } = await askMetrics(app);
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });

  it('speaks plain HTTP with SCS_INSECURE_HTTP=yes, on loopback alone', async () => {
    const plain = { ...env, ...METRICS_ON, SCS_INSECURE_HTTP: 'yes' };
    const elsewhere = { SCS_METRICS_PORT: '9464', SCS_METRICS_HOST: '192.0.2.1' };
    expect(() => loadConfig({ ...plain, ...elsewhere })).toThrow(
      'Expected a loopback address with SCS_INSECURE_HTTP=yes for SCS_METRICS_HOST',
    );
    const other = await startApp({ modules: [], env: plain });
    const answer = await request(`http://127.0.0.1:${metricsPort(other)}/metrics`);
    expect(answer.statusCode).toBe(200);
    expect(await answer.body.text()).toContain('scs_build_info');
    await other.stop();
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'])(
    'answers %s with 405',
    async (method) => {
      const { status, headers, text } = await askMetrics(app, '/metrics', method);
      expect([status, headers['allow']]).toEqual([405, 'GET, HEAD']);
      expect(text).toContain('method_not_allowed');
    },
  );

  it('answers HEAD without a body, and every other path with 404', async () => {
    const head = await askMetrics(app, '/metrics', 'HEAD');
    expect([head.status, head.text]).toEqual([200, '']);
    for (const path of ['/', '/metrics/', '/healthz', '/v1/audit', '/%6detrics', '//metrics'])
      expect((await askMetrics(app, path)).status).toBe(404);
    expect((await askMetrics(app, '/metrics?a=b')).status).toBe(200);
  });

  it('says what runs, whether it is ready, and what any program says', async () => {
    const numbers = await Numbers.of(app);
    expect(numbers.get(`scs_build_info{version="${app.config.version}"}`)).toBe(1);
    expect(numbers.get('scs_service_running{service="web"}')).toBe(1);
    expect(numbers.get('scs_websockets_open')).toBe(0);
    expect(numbers.get('scs_disk_free_bytes')).toBeGreaterThan(0);
    for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'nodejs_eventloop_lag_seconds'])
      expect(numbers.get(name)).toBeGreaterThanOrEqual(0);
  });

  it('says what readiness says', async () => {
    const other = await startApp({ modules: [], env: { ...env, ...METRICS_ON } });
    const readiness = other.get(Readiness);
    readiness.register('good', async () => undefined);
    readiness.register('bad', async () => {
      throw new Error('away');
    });
    const numbers = await Numbers.of(other);
    expect(numbers.get('scs_ready{check="good"}')).toBe(1);
    expect(numbers.get('scs_ready{check="bad"}')).toBe(0);
    await other.stop();
  });

  it('counts requests by route, method and kind of answer, and how long they take', async () => {
    const of = (status: string): string =>
      `scs_http_requests_total{service="system",route="/healthz",method="GET",status="${status}"}`;
    const before = await Numbers.of(app);
    for (let round = 0; round < 3; round += 1) await app.request('/healthz');
    await app.request('/nothing/here');
    const after = await Numbers.of(app);
    expect((after.get(of('2xx')) ?? 0) - (before.get(of('2xx')) ?? 0)).toBe(3);
    const unknown = 'scs_http_requests_total{service="none",route="none",method="GET",status="4xx"}';
    expect((after.get(unknown) ?? 0) - (before.get(unknown) ?? 0)).toBe(1);
    const counted = 'scs_http_request_duration_seconds_count{service="system",route="/healthz",method="GET"}';
    expect((after.get(counted) ?? 0) - (before.get(counted) ?? 0)).toBe(3);
  });

  it('counts a request that is under way until its client has gone', async () => {
    const underWay = async (): Promise<number | undefined> =>
      (await Numbers.of(app)).get('scs_http_requests_in_flight{service="system"}');
    const socket = connectTls({
      host: '127.0.0.1',
      port: app.config.port,
      ca: app.ca,
      servername: 'localhost',
    });
    socket.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    await expect.poll(underWay).toBe(0);
    socket.destroy();
    const gone = connectTls({
      host: '127.0.0.1',
      port: app.config.port,
      ca: app.ca,
      servername: 'localhost',
    });
    gone.write('GET /example/hang HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const example = async (): Promise<number | undefined> =>
      (await Numbers.of(app)).get('scs_http_requests_in_flight{service="none"}');
    await expect.poll(example).toBe(1);
    gone.destroy();
    await expect.poll(example).toBe(0);
    expect((await Numbers.of(app)).sum('scs_http_requests_total', 'status="cut"')).toBeGreaterThan(0);
  });

  it('has no more series after 10,000 unknown paths and methods, and repeats nothing of them', async () => {
    const ask = async (method: string, path: string): Promise<void> => {
      const answer = await app.dispatcher.request({ origin: app.url, method, path });
      await answer.body.dump();
      expect([400, 404, 405]).toContain(answer.statusCode);
    };
    // One of each kind first.
    for (const method of METHODS) await ask(method, '/x/0');
    const before = (await Numbers.of(app)).series;
    const words = Array.from({ length: 10_000 }, () => randomBytes(8).toString('hex'));
    const left = words.values();
    const some = async (): Promise<void> => {
      for (const word of left) {
        const paths = [`/${word}`, `/v1/${word}/x?token=${word}`, `/v1/keys/${word}${word}`, `/pks/${word}`];
        // What is no method at all ends its connection.
        const methods = [...METHODS, `X${word.toUpperCase()}`];
        await ask(methods[randomInt(methods.length)] ?? '', paths[randomInt(paths.length)] ?? '');
      }
    };
    await Promise.all(Array.from({ length: 16 }, some));
    const { text } = await askMetrics(app);
    const after = new Numbers(text);
    // What Node itself has open changes all the time.
    const ours = (series: string): boolean => series.startsWith('scs_');
    expect(after.series.filter(ours).toSorted()).toEqual(before.filter(ours).toSorted());
    expect(after.sum('scs_http_requests_total', 'route="none"')).toBeGreaterThan(9_000);
    const found = words.filter((word) => text.toLowerCase().includes(word));
    expect(found).toEqual([]);
  }, 120_000);

  it('is not held up by scrapers that hang', async () => {
    const sockets = Array.from({ length: 8 }, () => {
      const socket = connectTls({ host: '127.0.0.1', port, ca: app.ca, servername: 'localhost' });
      socket.on('error', () => undefined);
      socket.write('GET /metrics HTTP/1.1\r\nHost: localh');
      return socket;
    });
    await Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.once('secureConnect', resolve))),
    );
    expect((await askMetrics(app)).status).toBe(200);
    expect((await app.request('/healthz')).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});
