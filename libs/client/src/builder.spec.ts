import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { BuilderClient } from './builder.js';
import { HttpClient, type HttpClientOptions } from './http.js';
import { bodyOf, closeAfterwards, closeServers, listen, serve } from './testing/servers.js';

afterEach(closeServers);

const ID = '0123456789abcdef01234567';
const build = (more: object) => JSON.stringify({ data: { id: ID, ...more } });

function builderAt(baseUrl: string, options: Partial<HttpClientOptions> = {}): BuilderClient {
  const http = new HttpClient({ baseUrl, userAgent: 'test', token: 'T', ...options });
  closeAfterwards(http);
  return new BuilderClient(http);
}

/** A builder whose log stream is spoken by `speak`, connection after connection. */
async function logServer(
  speak: (socket: WebSocket, connection: number, request: IncomingMessage) => void,
): Promise<string> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  let connection = 0;
  sockets.on('connection', (socket, request) => {
    connection += 1;
    speak(socket, connection, request);
  });
  closeAfterwards(sockets);
  return `http://${await listen(server)}`;
}

async function follow(base: string, signal?: AbortSignal, onText?: () => void): Promise<string> {
  let log = '';
  await builderAt(base).followLog(ID, {
    backoff: 1,
    onText: (text) => {
      log += text;
      onText?.();
    },
    ...(signal === undefined ? {} : { signal }),
  });
  return log;
}

describe('the calls', () => {
  it('submit, ask, list and cancel', async () => {
    const calls: string[] = [];
    const base = await serve(async (request, response) => {
      calls.push(`${request.method} ${request.url} ${await bodyOf(request)}`);
      if (request.url === `/v1/build/${ID}/_cancel`) response.writeHead(204).end();
      else if (request.url?.startsWith('/v1/build?')) response.end('{"data":[]}');
      else response.writeHead(201).end(build({ isComplete: true, imageSize: 5 }));
    });
    const builder = builderAt(base);
    expect(await builder.submit({ definitionRaw: 'eA==', libraryRef: '' })).toMatchObject({ id: ID });
    expect(await builder.status(ID)).toMatchObject({ imageSize: 5 });
    expect(await builder.list({ user: 'u' })).toEqual([]);
    await builder.cancel(ID);
    expect(calls).toEqual([
      'POST /v1/build {"definitionRaw":"eA==","libraryRef":""}',
      `GET /v1/build/${ID} `,
      'GET /v1/build?user=u ',
      `PUT /v1/build/${ID}/_cancel `,
    ]);
  });

  it.each(['../x', '', 'zzz', `${ID}/..`])('refuse the id %j before anything is sent', async (id) => {
    await expect(builderAt('http://127.0.0.1:1').status(id)).rejects.toThrow('Expected 24 hexadecimal');
  });
});

describe('a build context', () => {
  const context = {
    size: 7,
    digest: `sha256.${'a'.repeat(64)}`,
    open: () => Readable.from([Buffer.from('archive')]),
  };

  it.each([
    ['relative to the host', '/upload?key=1', '/upload?key=1'],
    ['relative to the base', 'upload?key=1', '/builder/upload?key=1'],
  ])('goes, without the token, where the service wants it: %s', async (_name, location, expected) => {
    let put: IncomingMessage | undefined;
    let body = '';
    const base = await serve(async (request, response) => {
      if (request.method === 'POST') return response.writeHead(202, { location }).end();
      put = request;
      body = await bodyOf(request);
      return response.writeHead(201).end();
    });
    const sent: number[] = [];
    const builder = builderAt(`${base}/builder`);
    expect(await builder.uploadContext(context, { onProgress: (bytes) => sent.push(bytes) })).toBe(
      'uploaded',
    );
    expect(put?.url).toBe(expected);
    expect(put?.headers).toMatchObject({ 'content-length': '7', 'content-type': 'application/octet-stream' });
    expect(put?.headers.authorization).toBeUndefined();
    expect([body, sent]).toEqual(['archive', [7]]);
  });

  it('that the service holds already is not sent', async () => {
    const base = await serve((_request, response) => response.writeHead(200).end());
    expect(await builderAt(base).uploadContext(context)).toBe('held');
  });
});

describe('the log', () => {
  it('arrives whole, with the token, and ends with the normal close', async () => {
    let seen: IncomingMessage | undefined;
    const base = await logServer((socket, _connection, request) => {
      seen = request;
      socket.send('line 1\nli');
      socket.send(Buffer.from([1, 2]), { binary: true });
      socket.send('ne 2 ü\n', () => socket.close(1000));
    });
    expect(await follow(base)).toBe('line 1\nline 2 ü\n');
    expect([seen?.url, seen?.headers.authorization]).toEqual([`/v1/build-ws/${ID}`, 'Bearer T']);
  });

  it('is taken up again after a broken line, each character once', async () => {
    const base = await logServer((socket, connection) => {
      socket.send('first ');
      if (connection === 1) return socket.send('sec', () => socket.terminate());
      return socket.send('second third', () => socket.close(1000));
    });
    expect(await follow(base)).toBe('first second third');
  });

  it('that never gets further ends with the reason of the server', async () => {
    const base = await logServer((socket) => socket.close(1011, 'database is away'));
    await expect(follow(base)).rejects.toMatchObject({
      reason: 'log_broken',
      message: 'The build log ended early (websocket close 1011): database is away',
    });
  });

  it.each([401, 403, 404])('refused with %d is that refusal, asked once', async (status) => {
    let asked = 0;
    const server = createServer();
    server.on('upgrade', (_request, socket) => {
      asked += 1;
      const body = `{"error":{"code":${status},"message":"not for you"}}`;
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    const base = `http://${await listen(server)}`;
    await expect(follow(base)).rejects.toMatchObject({ httpStatus: status, message: 'not for you' });
    expect(asked).toBe(1);
  });

  it('stops with the reason of the caller', async () => {
    const base = await logServer((socket) => socket.send('begin'));
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    await expect(follow(base, controller.signal, () => controller.abort(reason))).rejects.toBe(reason);
  });

  it('goes through the proxy that foreign names need', async () => {
    const base = await logServer((socket) => socket.send('through', () => socket.close(1000)));
    const { hostname, port } = new URL(base);
    let target = '';
    const proxy = createServer((_request, response: ServerResponse) => response.writeHead(400).end());
    proxy.on('connect', (request, client) => {
      target = request.url ?? '';
      const upstream = connect(Number(port), hostname, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      client.on('error', () => upstream.destroy());
    });
    const proxies = { http: `http://${await listen(proxy)}` };
    let log = '';
    const builder = builderAt('http://builder.example.org', { proxies });
    await builder.followLog(ID, { onText: (text) => (log += text) });
    expect([log, target]).toEqual(['through', 'builder.example.org:80']);
  });
});
