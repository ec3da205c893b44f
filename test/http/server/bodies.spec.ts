import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { takeRawBodies } from '../../../libs/server/src/http/bodies.js';

/** What has arrived is worked off. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A bare server with small limits: the real ones are minutes and megabytes. Its time is that of the test: a busy machine has none. */
describe('a body that nobody reads to its end', () => {
  let fastify: FastifyInstance;
  let port: number;
  let read: number;
  const limits = { bodyIdleTime: 150, bodyCheckInterval: 20, unreadBodyTime: 300 };

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    fastify = Fastify({ logger: false });
    takeRawBodies(fastify, limits);
    fastify.post('/refused', async (_request, reply) => reply.status(403).send('no'));
    read = 0;
    fastify.post('/read', async (request) => {
      for await (const chunk of request.raw) read += (chunk as Buffer).length;
      return { size: read };
    });
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    port = (fastify.server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    vi.useRealTimers();
    await fastify.close();
  });

  function send(path: string, length: number): Socket {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
    return socket;
  }
  /** Sends bytes of a body to `/read`, and resolves when the server has read them. */
  async function write(socket: Socket, bytes: string): Promise<void> {
    const wanted = read + bytes.length;
    const isRead = (): boolean => read >= wanted;
    socket.write(bytes);
    while (!isRead()) await turn();
  }
  /** Lets time go by until a connection is cut. @returns how much that was */
  async function timeUntilCut(socket: Socket, each: () => void = () => undefined): Promise<number> {
    const begun = Date.now();
    while (!socket.destroyed) {
      vi.advanceTimersByTime(limits.bodyCheckInterval);
      each();
      await turn();
    }
    return Date.now() - begun;
  }

  it('is cut when its client owes the rest and sends nothing', async () => {
    const socket = send('/read', 10);
    await write(socket, '12345');
    expect(await timeUntilCut(socket)).toBeGreaterThanOrEqual(limits.bodyIdleTime);
  });

  it('is not cut while it comes slowly but steadily', async () => {
    const socket = send('/read', 10);
    const answered = once(socket, 'data') as Promise<[Buffer]>;
    for (let sent = 0; sent < 10; sent += 1) {
      vi.advanceTimersByTime(limits.bodyIdleTime - 2 * limits.bodyCheckInterval);
      await write(socket, 'x');
    }
    expect(String((await answered)[0])).toContain('{"size":10}');
    socket.destroy();
  });

  it('may follow a refusal for a while, so that the client sees the answer', async () => {
    const socket = send('/refused', 50_000);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('403');
    vi.advanceTimersByTime(limits.bodyIdleTime - 2 * limits.bodyCheckInterval);
    socket.write(Buffer.alloc(50_000));
    socket.write('POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx');
    const [next] = (await once(socket, 'data')) as [Buffer];
    expect(next.toString()).toContain('{"size":1}');
    socket.destroy();
  });

  it('may not follow a refusal for ever', async () => {
    const socket = send('/refused', 1_000_000_000);
    await once(socket, 'data');
    const time = await timeUntilCut(socket, () => socket.write(Buffer.alloc(10_000)));
    expect(Math.abs(time - limits.unreadBodyTime)).toBeLessThanOrEqual(limits.bodyCheckInterval);
  });
});
