import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpClient } from '#libs/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BuilderConnection } from './builder-connection.js';

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));

describe('a worker and its builder', () => {
  let server: Server;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let asked: string[];
  let connection: BuilderConnection;
  let http: HttpClient;

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim());
      request.resume();
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    http = new HttpClient({ baseUrl: `http://127.0.0.1:${port}`, userAgent: 'test' });
    connection = new BuilderConnection('a'.repeat(24), 'b'.repeat(24), http);
  });
  afterEach(async () => {
    await http.close();
    server.closeAllConnections();
    server.close();
  });

  async function received(signal = new AbortController().signal): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of connection.context(signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  it('takes a context up again where the connection broke', async () => {
    answer = (request, response) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const rest = CONTENT.subarray(from);
      response.writeHead(from === 0 ? 200 : 206, { 'content-length': rest.length });
      if (asked.length === 4) response.end(rest);
      else response.write(rest.subarray(0, 50_000), () => response.destroy());
    };
    expect((await received()).equals(CONTENT)).toBe(true);
    expect(asked).toHaveLength(4);
    expect(asked[3]).toMatch(/bytes=\d+-$/);
  });

  it('takes no part for the whole', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length });
      response.write(CONTENT.subarray(0, 50_000), () => response.destroy());
    };
    await expect(received()).rejects.toThrow('a part as the whole');
  });

  it('asks again while the builder is not ready, and takes a refusal for an answer', async () => {
    answer = (_, response) => {
      if (asked.length < 4) response.writeHead(503).end();
      else
        response
          .writeHead(403, { 'content-type': 'application/json' })
          .end('{"error":{"code":403,"message":"no"}}');
    };
    await expect(connection.append(0, Buffer.from('x'))).rejects.toThrow('no');
    expect(asked.length).toBeGreaterThanOrEqual(4);
  });

  it('asks three times when the builder has a bug: others wait', async () => {
    answer = (_, response) => response.writeHead(500).end();
    await expect(connection.finish({ outcome: 'failed', reason: 'x' })).rejects.toThrow('500');
    expect(asked).toHaveLength(3);
  });

  it('does not wait for a builder when its own process ends', async () => {
    answer = (_, response) => {
      response.writeHead(503).end();
      connection.hurry();
    };
    await expect(connection.append(0, Buffer.from('x'))).rejects.toThrow('503');
    // The attempts of one call: nothing is begun anew.
    expect(asked).toHaveLength(3);
  });

  it('names its try in every call', async () => {
    answer = (request, response) =>
      response
        .setHeader('content-type', 'application/json')
        .end(request.url?.includes('_log') === true ? '{"data":{"size":1,"wanted":true}}' : '{"data":{}}');
    await connection.append(7, Buffer.from('x'));
    await connection.finish({ outcome: 'returned' });
    const id = 'a'.repeat(24);
    expect(asked).toEqual([
      `PUT /v1/build/${id}/_log?offset=7&try=${'b'.repeat(24)}`,
      `PUT /v1/build/${id}/_finish?try=${'b'.repeat(24)}`,
    ]);
  });
});
