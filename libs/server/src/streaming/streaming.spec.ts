import fastify, { type FastifyInstance } from 'fastify';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STREAM_LIMITS } from './limits.js';
import { receiveBody, type ReceiveOptions } from './receive.js';
import { sendSource } from './send.js';

const file = randomBytes(5 * 1024 * 1024 + 17);
const etag = '"abc"';

interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
}

/** What came of a request on the server's side. */
type Outcome = Promise<unknown>;

describe('streaming', () => {
  let app: FastifyInstance;
  let port: number;
  let outcomes: Outcome[];
  let received: Buffer[];
  let told: (readonly [number, number])[];
  let receive: ReceiveOptions;
  let sink: (chunks: readonly Buffer[]) => Promise<void>;

  beforeEach(async () => {
    outcomes = [];
    received = [];
    told = [];
    receive = { limit: 100 * 1024 * 1024 };
    sink = async (chunks) => void received.push(...chunks.map((chunk) => Buffer.copyBytesFrom(chunk)));
    app = fastify();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    const settle = (outcome: Outcome): Outcome => {
      outcomes.push(outcome);
      return outcome.catch(() => undefined);
    };
    app.get('/file', (request, reply) => {
      const source = {
        size: file.length,
        expect: (start: number, end: number) => void told.push([start, end]),
        read: async (target: Buffer, at: number) => file.copy(target, 0, at),
      };
      reply.header('x-more', 'yes');
      return settle(sendSource(request, reply, source, { contentType: 'application/x-test', etag }));
    });
    app.get('/shrunk', (request, reply) => {
      const source = { size: 10, read: async () => 0 };
      return settle(sendSource(request, reply, source, { contentType: 'application/x-test', etag }));
    });
    app.put('/body', async (request, reply) => {
      await settle(receiveBody(request.raw, { write: (chunks) => sink(chunks) }, receive));
      return reply.send('done');
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    port = (app.server.address() as AddressInfo).port;
  });

  afterEach(() => app.close());

  async function call(path: string, { method = 'GET', headers = {}, body }: Call = {}) {
    const sending = request({ port, path, method, headers, agent: false });
    // An early answer may end the connection while the rest of the body is on its way.
    sending.on('error', () => undefined);
    sending.end(body);
    const [answer] = (await once(sending, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) };
  }

  describe('sendSource', () => {
    it('sends the whole file with length, validator and the headers that were set before', async () => {
      const answer = await call('/file');
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        'content-length': String(file.length),
        'content-type': 'application/x-test',
        'accept-ranges': 'bytes',
        'x-more': 'yes',
        etag,
      });
      expect(answer.body.equals(file)).toBe(true);
      expect(await outcomes[0]).toBe('sent');
    });

    it.each([
      ['bytes=0-9', 0, 9],
      ['bytes=1048570-3000000', 1048570, 3000000],
      [`bytes=${file.length - 1}-`, file.length - 1, file.length - 1],
      ['bytes=-100', file.length - 100, file.length - 1],
    ])('sends exactly the range %s', async (range, start, end) => {
      const answer = await call('/file', { headers: { range } });
      expect(answer.status).toBe(206);
      expect(answer.headers['content-range']).toBe(`bytes ${start}-${end}/${file.length}`);
      expect(answer.body.equals(file.subarray(start, end + 1))).toBe(true);
      expect(told).toEqual([[start, end]]);
    });

    it('answers a range outside with 416, the size and the error envelope', async () => {
      const answer = await call('/file', { headers: { range: `bytes=${file.length}-` } });
      expect(answer.status).toBe(416);
      expect(answer.headers['content-range']).toBe(`bytes */${file.length}`);
      expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: 416 } });
    });

    it('sends everything when If-Range names other bytes, the range when it names these', async () => {
      const range = 'bytes=0-9';
      expect((await call('/file', { headers: { range, 'if-range': '"other"' } })).status).toBe(200);
      expect((await call('/file', { headers: { range, 'if-range': etag } })).status).toBe(206);
    });

    it('answers HEAD with the headers of the whole file and no body', async () => {
      const answer = await call('/file', { method: 'HEAD', headers: { range: 'bytes=0-9' } });
      expect(answer.status).toBe(200);
      expect(answer.headers['content-length']).toBe(String(file.length));
      expect(answer.body.length).toBe(0);
    });

    it('notices that the client has gone', async () => {
      const socket = connect(port, '127.0.0.1');
      socket.write('GET /file HTTP/1.1\r\nhost: x\r\n\r\n');
      await once(socket, 'data');
      socket.destroy();
      expect(await outcomes[0]).toBe('cut');
    });

    it('serves many downloads at once from the buffers that it has', async () => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => call('/file')));
      expect(answers.every(({ body }) => body.equals(file))).toBe(true);
    });

    it('cuts the connection when the file is shorter than it was', async () => {
      await expect(call('/shrunk')).rejects.toThrow(/aborted|hang up/);
      await expect(outcomes[0]).rejects.toThrow(/^Expected 10 bytes/);
    });
  });

  describe('receiveBody', () => {
    it('hands over every byte in order, in batches', async () => {
      const sizes: number[] = [];
      sink = async (chunks) => {
        received.push(...chunks.map((chunk) => Buffer.copyBytesFrom(chunk)));
        sizes.push(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      };
      await call('/body', { method: 'PUT', body: file });
      expect(await outcomes[0]).toBe(file.length);
      expect(Buffer.concat(received).equals(file)).toBe(true);
      expect(sizes.slice(0, -1).every((size) => size >= STREAM_LIMITS.batchBytes)).toBe(true);
    });

    it('gives the memory of every chunk back when the sink has taken it, and not before', async () => {
      const chunks: Buffer[] = [];
      sink = async (taken) => {
        chunks.push(...taken);
        await setImmediate();
        expect(taken.every(({ length }) => length > 0)).toBe(true);
      };
      await call('/body', { method: 'PUT', body: file });
      expect(await outcomes[0]).toBe(file.length);
      // What shares its memory with others stays.
      const kept = chunks.filter(({ length, buffer }) => length > 0 && buffer.byteLength === length);
      expect(kept).toEqual([]);
      expect(chunks.length).toBeGreaterThan(10);
    });

    it('keeps little of each when many have stopped in the middle, and larger batches again when they have gone', async () => {
      const { waitingTogether, batchBytes, crowdedBatchBytes } = STREAM_LIMITS;
      const sizes: number[] = [];
      sink = async (chunks) => void sizes.push(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      // Less than a batch each: nothing of it is handed over.
      const stopped = Array.from({ length: waitingTogether / (batchBytes / 2) + 2 }, () => {
        const socket = connect(port, '127.0.0.1');
        socket.write(`PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: ${file.length}\r\n\r\n`);
        socket.write(file.subarray(0, batchBytes / 2));
        return socket;
      });
      await expect.poll(() => outcomes.length).toBe(stopped.length);
      const send = async () => {
        sizes.length = 0;
        await call('/body', { method: 'PUT', body: file });
        return Math.max(...sizes);
      };
      await expect.poll(send).toBeLessThan(batchBytes);
      expect(sizes.length).toBeGreaterThan(file.length / batchBytes);
      expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(crowdedBatchBytes);
      for (const socket of stopped) socket.destroy();
      await Promise.allSettled(outcomes);
      expect(await send()).toBeGreaterThanOrEqual(batchBytes);
    });

    it('takes an empty body', async () => {
      await call('/body', { method: 'PUT', headers: { 'content-length': '0' } });
      expect(await outcomes[0]).toBe(0);
    });

    it('holds a fast sender back while the sink is busy', async () => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      let largest = 0;
      sink = async (chunks) => {
        largest = Math.max(
          largest,
          chunks.reduce((sum, chunk) => sum + chunk.length, 0),
        );
        await gate;
      };
      const sending = request({ port, path: '/body', method: 'PUT', agent: false });
      const answered = once(sending, 'response');
      // The connection takes what its buffers hold and then no more: `drain` stays away while the sink is busy.
      let accepted = 0;
      while (sending.write(file)) accepted += file.length;
      expect(accepted).toBeLessThan(10 * file.length);
      open();
      await once(sending, 'drain');
      sending.end();
      await answered;
      expect(largest).toBeLessThanOrEqual(
        STREAM_LIMITS.waitingBatches * STREAM_LIMITS.batchBytes + 64 * 1024,
      );
    });

    it('refuses a body that is too large by its length, before a byte is taken', async () => {
      receive = { limit: 10 };
      await call('/body', { method: 'PUT', body: Buffer.alloc(11) });
      await expect(outcomes[0]).rejects.toMatchObject({ code: 'too_large' });
      expect(received).toEqual([]);
    });

    it('refuses a body without a length at the first byte too many', async () => {
      receive = { limit: 10 };
      const sending = request({ port, path: '/body', method: 'PUT', agent: false });
      sending.write(Buffer.alloc(8));
      sending.end(Buffer.alloc(8));
      await once(sending, 'response');
      await expect(outcomes[0]).rejects.toMatchObject({ code: 'too_large' });
    });

    it('says that the body ended early when the client goes away', async () => {
      const { promise: begun, resolve } = Promise.withResolvers<void>();
      sink = async () => resolve();
      const socket = connect(port, '127.0.0.1');
      socket.write(`PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: ${file.length}\r\n\r\n`);
      socket.write(file.subarray(0, 2 * 1024 * 1024));
      await begun;
      socket.destroy();
      await expect(outcomes[0]).rejects.toMatchObject({ reason: 'body_incomplete' });
    });

    it('passes on what the sink throws, and stops when it is told to', async () => {
      sink = async () => {
        throw new Error('sink is full');
      };
      await call('/body', { method: 'PUT', body: file });
      await expect(outcomes[0]).rejects.toThrow('sink is full');
      const stop = new AbortController();
      receive = { limit: Infinity, signal: stop.signal };
      sink = async () => stop.abort(new Error('superseded'));
      await call('/body', { method: 'PUT', body: file });
      await expect(outcomes[1]).rejects.toThrow('superseded');
    });

    it('gives the same bytes whatever the sizes of the pieces', async () => {
      const hash = createHash('sha256').update(file).digest('hex');
      const sending = request({ port, path: '/body', method: 'PUT', agent: false });
      for (let at = 0; at < file.length; at += 333_333) sending.write(file.subarray(at, at + 333_333));
      sending.end();
      await once(sending, 'response');
      expect(createHash('sha256').update(Buffer.concat(received)).digest('hex')).toBe(hash);
    });
  });
});
