import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { certificate } from '../../../test/support/certificate.js';
import { CertificateAuthority, type TestCertificate } from '../../../test/support/certificates.js';
import { HttpClient, type HttpClientOptions } from './http.js';
import { bodyOf, closeAfterwards, closeServers, listen, serve } from './testing/servers.js';

afterEach(closeServers);

function clientOf(baseUrl: string, options: Partial<HttpClientOptions> = {}): HttpClient {
  const client = new HttpClient({ baseUrl, userAgent: 'sing/test', ...options });
  closeAfterwards(client);
  return client;
}

const Data = z.object({ data: z.string() });

describe('a request', () => {
  it('keeps the path prefix of the base and sends token and agent', async () => {
    const base = await serve((request, response) => {
      const { authorization, 'user-agent': agent } = request.headers;
      response.end(JSON.stringify({ data: `${request.url} ${authorization} ${agent}` }));
    });
    const client = clientOf(`${base}/prefix/`, { token: 'T' });
    const { data } = await client.getJson('/v1/x', Data, { query: { arch: 'amd64', none: undefined } });
    expect(data).toBe('/prefix/v1/x?arch=amd64 Bearer T sing/test');
  });

  it('sends no authorization without a token, or when asked not to', async () => {
    const base = await serve((request, response) => {
      response.end(JSON.stringify({ data: String(request.headers.authorization) }));
    });
    expect((await clientOf(base).getJson('/', Data)).data).toBe('undefined');
    expect((await clientOf(base, { token: '' }).getJson('/', Data)).data).toBe('undefined');
    const client = clientOf(base, { token: 'T' });
    expect((await client.getJson('/', Data, { authorize: false })).data).toBe('undefined');
  });

  it('streams a body up and down', async () => {
    const base = await serve((request, response) => request.pipe(response));
    const chunks = ['one ', 'two ', 'three'];
    const answer = await clientOf(base).request({
      method: 'PUT',
      url: '/',
      body: Readable.from(chunks.map((chunk) => Buffer.from(chunk))),
    });
    expect(await answer.text()).toBe('one two three');
  });

  it.each(['localhost:8443', 'ftp://host', 'nonsense'])('refuses the base %j', (baseUrl) => {
    expect(() => new HttpClient({ baseUrl, userAgent: 'x' })).toThrow(
      'Expected an http:// or https:// address',
    );
  });
});

describe('an unwelcome answer', () => {
  it('becomes the error of its envelope', async () => {
    const base = await serve((_request, response) => {
      response.statusCode = 507;
      response.end('{"error":{"code":507,"message":"over quota","reason":"quota_exceeded"}}');
    });
    await expect(clientOf(base).getJson('/', Data)).rejects.toMatchObject({
      code: 'out_of_space',
      reason: 'quota_exceeded',
      message: 'over quota',
      httpStatus: 507,
    });
  });

  it('without an envelope names request and status', async () => {
    const base = await serve((_request, response) => {
      response.statusCode = 418;
      response.end('<html>');
    });
    await expect(clientOf(base).getJson('/tea', Data)).rejects.toMatchObject({
      code: 'bad_request',
      message: `GET ${base}/tea was answered with status 418`,
    });
  });

  it('of another shape, of no JSON or without end is a sentence, too', async () => {
    const base = await serve((request, response) => {
      if (request.url === '/shape') response.end('{"data":5}');
      else if (request.url === '/html') response.end('<html>');
      else response.end('x'.repeat(5000));
    });
    const client = clientOf(base);
    await expect(client.getJson('/shape', Data)).rejects.toMatchObject({
      reason: 'bad_answer',
      message: expect.stringContaining('at data') as string,
    });
    await expect(client.getJson('/html', Data)).rejects.toMatchObject({ reason: 'bad_answer' });
    const long = await client.request({ url: '/long' });
    await expect(long.text(4096)).rejects.toMatchObject({ code: 'too_large' });
  });
});

describe('redirects', () => {
  it('to another host carry no token', async () => {
    let seen: IncomingMessage['headers'] | undefined;
    const other = await serve((request, response) => {
      seen = request.headers;
      response.end('{"data":"there"}');
    });
    const base = await serve((_request, response) => {
      response.writeHead(302, { location: `${other}/blob` }).end();
    });
    // Another port of the same host is another server: the stock client's rule let the token pass here.
    const client = clientOf(base, { token: 'secret' });
    expect(await client.getJson('/', Data, { headers: { Authorization: 'Bearer own' } })).toEqual({
      data: 'there',
    });
    expect(seen).toBeDefined();
    expect(seen?.authorization).toBeUndefined();
  });

  it('within the server keep the token', async () => {
    const base = await serve((request, response) => {
      if (request.url === '/a') response.writeHead(307, { location: '/b' }).end();
      else response.end(JSON.stringify({ data: String(request.headers.authorization) }));
    });
    expect(await clientOf(base, { token: 'T' }).getJson('/a', Data)).toEqual({ data: 'Bearer T' });
  });

  it.each([
    [302, 'GET ""'],
    [303, 'GET ""'],
    [307, 'POST "body"'],
    [308, 'POST "body"'],
  ])('%d of a POST becomes %s', async (status, expected) => {
    const base = await serve(async (request, response) => {
      if (request.url === '/a') response.writeHead(status, { location: '/b' }).end();
      else
        response.end(JSON.stringify({ data: `${request.method} ${JSON.stringify(await bodyOf(request))}` }));
    });
    const answer = await clientOf(base).request({ method: 'POST', url: '/a', body: 'body' });
    expect(await answer.json(Data)).toEqual({ data: expected });
  });

  it('without end, without address, or of an upload that was begun are errors', async () => {
    const base = await serve((request, response) => {
      response.writeHead(307, request.url === '/none' ? {} : { location: '/again' }).end();
    });
    const client = clientOf(base);
    await expect(client.request({ url: '/again' })).rejects.toThrow('redirects without end');
    await expect(client.request({ url: '/none' })).rejects.toThrow('redirects to no usable address');
    await expect(
      client.request({ method: 'PUT', url: '/x', body: Readable.from([Buffer.from('x')]) }),
    ).rejects.toThrow('redirects an upload that was begun');
  });

  it('are answers when asked for', async () => {
    const base = await serve((_request, response) => {
      response.writeHead(303, { location: '/b' }).end();
    });
    const answer = await clientOf(base).request({ url: '/a', accept: [200, 303], follow: false });
    expect([answer.status, answer.header('Location')]).toEqual([303, '/b']);
  });
});

describe('retries', () => {
  const failing = (
    failures: number,
    fail: (request: IncomingMessage, response: Parameters<RequestListener>[1]) => void,
  ) => {
    let attempts = 0;
    return {
      attempts: () => attempts,
      handler: ((request, response) => {
        attempts += 1;
        if (attempts <= failures) fail(request, response);
        else void bodyOf(request).then((body) => response.end(JSON.stringify({ data: body })));
      }) satisfies RequestListener,
    };
  };

  it('repeat a GET after a reset connection', async () => {
    const server = failing(2, (request) => request.socket.destroy());
    expect(await clientOf(await serve(server.handler)).getJson('/', Data)).toEqual({ data: '' });
    expect(server.attempts()).toBe(3);
  });

  it('make the body anew for every attempt', async () => {
    const server = failing(1, (_request, response) => response.writeHead(503).end());
    const body = () => Readable.from([Buffer.from('whole body')]);
    const answer = await clientOf(await serve(server.handler)).request({ method: 'PUT', url: '/', body });
    expect(await answer.json(Data)).toEqual({ data: 'whole body' });
  });

  it('end after the third attempt', async () => {
    const server = failing(9, (_request, response) => response.writeHead(503).end());
    await expect(clientOf(await serve(server.handler)).getJson('/', Data)).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(server.attempts()).toBe(3);
  });

  it.each([
    ['a POST', { method: 'POST' as const, body: 'x' }],
    ['a stream that can be sent once', { method: 'PUT' as const, body: Readable.from([Buffer.from('x')]) }],
  ])('never repeat %s', async (_name, request) => {
    const server = failing(1, (incoming) => incoming.socket.destroy());
    const client = clientOf(await serve(server.handler));
    await expect(client.request({ url: '/', ...request })).rejects.toMatchObject({ reason: 'unreachable' });
    expect(server.attempts()).toBe(1);
  });
});

describe('the end of patience', () => {
  it('is a sentence when an answer does not come in time', async () => {
    const base = await serve(() => undefined);
    await expect(clientOf(base).request({ url: '/', timeout: 50 })).rejects.toMatchObject({
      reason: 'timeout',
      message: `No answer from ${base} in time`,
    });
  });

  it('throws the reason of the caller, before and in the middle of an answer', async () => {
    const base = await serve((_request, response) => {
      response.write('begin');
    });
    const client = clientOf(base);
    const reason = new Error('the person pressed Ctrl-C');
    await expect(client.request({ url: '/', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const answer = await client.request({ url: '/', signal: controller.signal });
    const reading = (async () => {
      for await (const chunk of answer.chunks()) {
        expect(chunk.toString()).toBe('begin');
        controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
  });

  it('explains an answer that ends too early', async () => {
    const base = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('begin', () => response.destroy());
    });
    const answer = await clientOf(base).request({ url: '/' });
    await expect(answer.text()).rejects.toMatchObject({ code: 'unavailable', reason: 'unreachable' });
  });

  it('explains that nothing listens', async () => {
    const server = createServer();
    const base = `http://${await listen(server)}`;
    server.close();
    await expect(clientOf(base).request({ url: '/', method: 'POST' })).rejects.toMatchObject({
      message: `Cannot reach ${base}: nothing listens there`,
    });
  });
});

describe('certificates', () => {
  /** An https server with a certificate; returns its port. */
  const secure = async ({ key, cert }: { key: string; cert: string }): Promise<string> => {
    const server = createTlsServer({ key, cert }, (_request, response) => response.end('{"data":"safe"}'));
    return (await listen(server)).split(':')[1] ?? '';
  };

  it('of an own authority are trusted by that authority alone', async () => {
    const made = await certificate('localhost');
    const base = `https://localhost:${await secure(made)}`;
    expect(await clientOf(base, { ca: made.cert }).getJson('/', Data)).toEqual({ data: 'safe' });
    for (const options of [{}, { ca: (await certificate('localhost')).cert }])
      await expect(clientOf(base, options).getJson('/', Data)).rejects.toMatchObject({
        reason: 'untrusted_certificate',
      });
  });

  it('of an own authority are trusted besides all others where that was asked for', async () => {
    const authority = await CertificateAuthority.make();
    const base = `https://localhost:${await secure(await authority.issue())}`;
    expect(await clientOf(base, { alsoTrusts: authority.cert }).getJson('/', Data)).toEqual({ data: 'safe' });
    const other = await CertificateAuthority.make();
    await expect(clientOf(base, { alsoTrusts: other.cert }).getJson('/', Data)).rejects.toMatchObject({
      reason: 'untrusted_certificate',
    });
  });

  it('are trusted themselves where they are named, whoever issued them', async () => {
    const made = await (await CertificateAuthority.make()).issue();
    const base = `https://localhost:${await secure(made)}`;
    expect(await clientOf(base, { ca: made.cert }).getJson('/', Data)).toEqual({ data: 'safe' });
  });

  it.each<[string, (authority: CertificateAuthority) => Promise<TestCertificate>, RegExp, string, RegExp]>([
    [
      'that nobody vouches for',
      async () => (await CertificateAuthority.make()).issue(),
      /comes from an authority that is not trusted here$/,
      'untrusted_certificate',
      /https:\/\/localhost:\d+\/ca\.pem .*scs ca show.*sing remote add --ca FILE.*SING_CA_FILE/,
    ],
    [
      'that has expired',
      (authority) => authority.issue(undefined, { until: -0.5 }),
      /has expired$/,
      'certificate_expired',
      /renew it.*clock/,
    ],
    [
      'that is not valid yet',
      (authority) => authority.issue(undefined, { from: 1 }),
      /is not valid yet$/,
      'certificate_not_yet_valid',
      /clock/,
    ],
    [
      'of other names',
      (authority) => authority.issue(['scs.example.org', '192.0.2.1']),
      /is for other names \(scs\.example\.org, 192\.0\.2\.1\)$/,
      'certificate_of_another_name',
      /Use one of its names.*SCS_NAMES/,
    ],
  ])('%s are refused with what helps', async (_, issue, why, reason, remedy) => {
    const authority = await CertificateAuthority.make();
    const origin = `https://localhost:${await secure(await issue(authority))}`;
    await expect(clientOf(origin, { alsoTrusts: authority.cert }).getJson('/', Data)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        new RegExp(`^${origin} is not trusted: its certificate ${why.source}`),
      ) as string,
      reason,
      remedy: expect.stringMatching(remedy) as string,
    });
  });

  it('do not help against a redirect that gives up encryption', async () => {
    const { key, cert } = await certificate('localhost');
    const address = await listen(
      createTlsServer({ key, cert }, (_request, response) => {
        response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
      }),
    );
    const client = clientOf(`https://${address.replace('127.0.0.1', 'localhost')}`, { ca: cert });
    await expect(client.request({ url: '/' })).rejects.toMatchObject({ reason: 'insecure_redirect' });
  });
});

describe('a server that does not speak TLS', () => {
  it('is named as such', async () => {
    const base = (await serve((_request, response) => response.end())).replace('http:', 'https:');
    await expect(clientOf(base).request({ url: '/' })).rejects.toMatchObject({
      message: `Cannot reach ${base}: it does not speak TLS as it should`,
    });
  });
});

describe('proxies', () => {
  it('are asked for foreign names and never for this machine', async () => {
    const proxy = await serve((request, response) => {
      response.end(JSON.stringify({ data: `proxied ${request.url}` }));
    });
    // Every https request arrives at the proxy as CONNECT; plain ones with the whole address.
    const direct = await serve((_request, response) => response.end('{"data":"direct"}'));
    const options = { proxies: { http: proxy } };
    expect(await clientOf(direct, options).getJson('/', Data)).toEqual({ data: 'direct' });
    const foreign = clientOf('http://library.example.org', options);
    expect((await foreign.getJson('/v1/x', Data)).data).toMatch(/^proxied .*\/v1\/x$/);
  });
});
