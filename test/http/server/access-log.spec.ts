import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { TestAuthority } from '../../support/tokens.js';

let app: StartedApp;
let authority: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.make();
  app = await startApp({
    modules: [authority.module()],
    env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' },
  });
});
afterAll(() => app.stop());

/** The line of a request to this path; it is written after the client has its answer. */
async function lineOf(path: string): Promise<Record<string, unknown>> {
  const lines = (): Record<string, unknown>[] =>
    readFileSync(`${app.home}/log/test.log`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg, url }) => msg === 'request' && String(url).startsWith(path));
  await expect.poll(lines).toHaveLength(1);
  return lines()[0] ?? {};
}

it('has a line for each request, without what nobody may read', async () => {
  await app.request('/version?token=hunter2&a=1');
  expect(await lineOf('/version')).toEqual({
    level: 30,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    process: 'test',
    pid: process.pid,
    request: expect.any(String),
    method: 'GET',
    url: '/version?token=***&a=1',
    status: 200,
    milliseconds: expect.any(Number),
    address: '127.0.0.1',
    msg: 'request',
  });
});

it('says who asked', async () => {
  const token = await authority.token({ username: 'ann' });
  await app.request('/v1/rbac/users/current', { token });
  const line = await lineOf('/v1/rbac/users/current');
  expect(line).toMatchObject({ status: 200, username: 'ann', tokenId: expect.any(String) });
  expect(JSON.stringify(line)).not.toContain(token);
});

it('says little of what machines ask every second, unless it goes wrong', async () => {
  await app.request('/healthz?x=1');
  expect(await lineOf('/healthz')).toMatchObject({ level: 20 });
  await app.request('/healthz', { method: 'DELETE' });
  await expect
    .poll(() => readFileSync(`${app.home}/log/test.log`, 'utf8'))
    .toMatch(/"level":30.*"DELETE","url":"\/healthz","status":405/);
});
