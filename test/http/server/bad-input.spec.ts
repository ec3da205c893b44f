import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorEnvelope } from '#libs/contract';
import { startApp, type StartedApp } from '../../support/app.js';
import { rawRequest } from '../../support/raw-request.js';
import { EXAMPLE_ROUTES, ExampleModule } from './example.js';

let app: StartedApp;
beforeAll(async () => {
  app = await startApp({ modules: [ExampleModule], alsoOpen: EXAMPLE_ROUTES, env: { SCS_SERVICES: 'auth' } });
});
afterAll(() => app.stop());

/** The answer is the envelope with the status in it, and says nothing about the program. */
function expectEnvelope(status: number, body: unknown): void {
  const { error } = ErrorEnvelope.parse(body);
  expect(error.code).toBe(status);
  expect(error.message).not.toMatch(/\n|\.[jt]s\b|node:|FST_|HPE_/);
}

describe('a body that is not what the route takes', () => {
  const deep = '['.repeat(400) + ']'.repeat(400);
  it.each<[string, string | Buffer, number]>([
    ['nothing', '', 400],
    ['no JSON', '{', 400],
    ['half a number', '{"name": 1e}', 400],
    ['JSON of another shape', '[]', 400],
    ['null', 'null', 400],
    ['a field of another type', '{"name": 1}', 400],
    ['a number where no number fits', '{"name":"a","count":1e999}', 400],
    ['deep nesting', deep, 400],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400],
    ['UTF-16', Buffer.from('{"name":"a"}', 'utf16le'), 400],
    ['one byte too many', `{"name":"${'x'.repeat(1000 - 10)}"}`, 413],
    ['a form', 'name=a&count=1', 400],
  ])('%s is refused with the envelope', async (_name, body, status) => {
    const answer = await app.request('/example/body', { method: 'POST', body });
    expect(answer.status).toBe(status);
    expectEnvelope(status, answer.body);
  });

  it('is taken up to the last byte of the limit', async () => {
    const body = `{"name":"${'x'.repeat(1000 - 11)}"}`;
    expect((await app.request('/example/body', { method: 'POST', body })).status).toBe(200);
  });

  it('is refused by its announced length before a byte of it is sent', async () => {
    const head =
      'POST /example/body HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\nConnection: close\r\n\r\n';
    const answer = await rawRequest(app, head);
    expect(answer.status).toBe(413);
  });

  it('is refused at the first byte too many when it comes in chunks', async () => {
    const chunk = `3e9\r\n${' '.repeat(1001)}\r\n`;
    const head =
      'POST /example/body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n';
    const answer = await rawRequest(app, head + chunk);
    expect(answer.status).toBe(413);
  });

  it('names the fields that are wrong', async () => {
    const answer = await app.request('/example/body', { json: { name: 1, count: 'x' } });
    expect(answer.body.error.message).toMatch(/The body is not valid: name: .*; count: /);
  });
});

describe('a content type', () => {
  it.each([
    undefined,
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'multipart/form-data; boundary=x',
    'image/svg+xml',
  ])('%s does not matter: JSON is read all the same', async (type) => {
    const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
    const answer = await app.request('/example/body', { method: 'POST', body: '{"name":"a"}', headers });
    expect(answer.body).toEqual({ data: { name: 'a' } });
    expect(answer.status).toBe(200);
  });

  it.each(['x', ';', 'application/json;;', 'a/b/c', '"'])(
    'that is none (%s) is no server error',
    async (type) => {
      const headers = { 'content-type': type };
      const answer = await app.request('/example/body', { method: 'POST', body: '{"name":"a"}', headers });
      expect([200, 400, 415]).toContain(answer.status);
      if (answer.status !== 200) expectEnvelope(answer.status, answer.body);
    },
  );
});

describe('an address', () => {
  it.each([
    ['/nothing', 404],
    ['/v1/nothing/at/all', 404],
    ['/%', 400],
    ['/example/fail/%zz', 400],
    ['/example/fail/%ff', 400],
    ['/example/fail/%00', 404],
    ['/example/fail/..%2f..%2fetc', 404],
    [`/example/fail/${'x'.repeat(513)}`, 414],
    [`/version?${'x'.repeat(8 * 1024)}`, 414],
    ['/example/query?value=01234567890', 400],
    ['/example/query', 400],
    ['/example/query?value=a&value=b', 400],
    ['//version', 404],
    ['/version/', 404],
  ])('%s is answered with %i and the envelope', async (path, status) => {
    const answer = await app.request(path);
    expect(answer.status).toBe(status);
    expectEnvelope(status, answer.body);
  });

  it('that exists is not offered for another method', async () => {
    const answer = await app.request('/version', { method: 'DELETE' });
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD']);
    expectEnvelope(405, answer.body);
  });
});

describe('what is no proper HTTP request', () => {
  const get = 'GET /version HTTP/1.1\r\n';
  it.each<[string, string, number]>([
    ['a bad request line', 'HELLO\r\n\r\n', 400],
    ['an unknown method', 'BREW /version HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no Host', `${get}Connection: close\r\n\r\n`, 400],
    ['a header without a colon', `${get}Host: x\r\nbad header\r\n\r\n`, 400],
    ['a control character in a header', `${get}Host: x\r\nA: \u0001\r\n\r\n`, 400],
    ['a length that is no number', `${get}Host: x\r\nContent-Length: ten\r\n\r\n`, 400],
    ['two lengths', `${get}Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
    [
      'a length beside chunks',
      `${get}Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
    ],
    ['headers that are too large', `${get}Host: x\r\nA: ${'x'.repeat(17 * 1024)}\r\n\r\n`, 431],
    ['an expectation we do not know', `${get}Host: x\r\nExpect: cake\r\n\r\n`, 417],
    [
      'a chunk size that is none',
      `POST /example/body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
    ],
  ])('(%s) is answered with the envelope and hung up on', async (_name, text, status) => {
    const answer = await rawRequest(app, text);
    expect(answer.status).toBe(status);
    expectEnvelope(status, JSON.parse(answer.text));
  });

  it('leaves the server serving', async () => {
    expect((await app.request('/healthz')).status).toBe(200);
  });
});
