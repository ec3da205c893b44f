import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type StartedApp } from '../../support/app.js';
import { EXAMPLE_ROUTES, ExampleController, ExampleModule } from './example.js';

let app: StartedApp;
beforeAll(async () => {
  app = await startApp({ modules: [ExampleModule], alsoOpen: EXAMPLE_ROUTES, env: { SCS_SERVICES: 'auth' } });
});
afterAll(() => app.stop());

const logged = (): string => readFileSync(`${app.home}/log/test.log`, 'utf8');

describe('an error in a handler', () => {
  it.each([
    ['bug', 500, 'internal'],
    ['thrown-text', 500, 'internal'],
    ['known', 409, 'too_late'],
    ['full', 507, 'out_of_space'],
    ['unoffered', 501, 'not_implemented'],
    ['other', 404, 'not_found'],
  ])('(%s) is answered with %i and the reason %s', async (how, status, reason) => {
    const answer = await app.request(`/example/fail/${how}`);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toMatchObject({ code: status, reason });
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
  });

  it('that is a bug is in the log with its stack, and only there', async () => {
    await app.request('/example/fail/bug');
    expect(logged()).toMatch(/"stack":"Error: the password is hunter2\\n +at /);
  });

  it('that is a wish for what is not offered is no error of the server', async () => {
    await app.request('/example/fail/unoffered');
    const levels = logged()
      .split('\n')
      .filter((line) => line.includes('fail/unoffered'))
      .map((line) => (JSON.parse(line) as { level: number }).level);
    expect(levels.length).toBeGreaterThan(0);
    expect(Math.max(...levels)).toBeLessThan(40);
  });

  it('after the first byte cuts the connection, so that half an answer is not taken for a whole one', async () => {
    await expect(app.request('/example/fail/half')).rejects.toThrow(/closed|terminated/);
  });
});

describe('a client that goes away', () => {
  it('is no error', async () => {
    const controller = app.get(ExampleController);
    const socket = connect({ host: '127.0.0.1', port: app.config.port, ca: app.ca, servername: 'localhost' });
    socket.write('GET /example/hang HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => {
      app.server.http.once('request', resolve);
    });
    socket.destroy();
    await controller.left.promise;
    expect((await app.request('/healthz')).status).toBe(200);
    const levels = logged()
      .split('\n')
      .filter((line) => line.includes('example/hang'))
      .map((line) => (JSON.parse(line) as { level: number }).level);
    expect(Math.max(...levels)).toBeLessThan(40);
  });
});

describe('the log', () => {
  it('holds no token and no signature', async () => {
    await app.request(
      '/v1/nothing?auth_token=hunter3&Signature=hunter3&X-Amz-Credential=hunter3&arch=amd64',
      {
        token: 'hunter3',
      },
    );
    const lines = logged();
    expect(lines).toContain('auth_token=***&Signature=***&X-Amz-Credential=***&arch=amd64');
    expect(lines).not.toContain('hunter3');
  });

  it('says who asked for what, how it ended and how long it took', async () => {
    await app.request('/version');
    const line = logged().trim().split('\n').at(-1) ?? '';
    expect(JSON.parse(line)).toMatchObject({
      method: 'GET',
      url: '/version',
      status: 200,
      address: '127.0.0.1',
    });
  });
});
