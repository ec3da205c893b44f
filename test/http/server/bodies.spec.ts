import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeRawBodies } from '../../../libs/server/src/http/bodies.js';

/** A cut connection may end with an error; that it ends is what counts. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve());
  });

/** A bare server with small limits: the real ones are minutes and megabytes. */
describe('a body that nobody reads to its end', () => {
  let fastify: FastifyInstance;
  let port: number;
  const limits = { bodyIdleTime: 150, bodyCheckInterval: 20, unreadBody: 100_000, unreadBodyTime: 300 };

  beforeEach(async () => {
    fastify = Fastify({ logger: false });
    takeRawBodies(fastify, limits);
    fastify.post('/refused', async (_request, reply) => reply.status(403).send('no'));
    fastify.post('/read', async (request) => {
      let size = 0;
      for await (const chunk of request.raw) size += (chunk as Buffer).length;
      return { size };
    });
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    port = (fastify.server.address() as AddressInfo).port;
  });
  afterEach(() => fastify.close());

  function send(path: string, length: number): Socket {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
    return socket;
  }

  it('is cut when its client owes the rest and sends nothing', async () => {
    const socket = send('/read', 10);
    socket.write('12345');
    await closed(socket);
    expect(socket.destroyed).toBe(true);
  });

  it('is not cut while it comes slowly but steadily', async () => {
    const socket = send('/read', 10);
    const timer = setInterval(() => socket.write('x'), 40);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    clearInterval(timer);
    expect(answer.toString()).toContain('{"size":10}');
    socket.destroy();
  });

  it('may follow a refusal for a while, so that the client sees the answer', async () => {
    const socket = send('/refused', 50_000);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('403');
    socket.write(Buffer.alloc(50_000));
    socket.write('POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx');
    const [next] = (await once(socket, 'data')) as [Buffer];
    expect(next.toString()).toContain('{"size":1}');
    socket.destroy();
  });

  it('may not follow a refusal for ever: neither in size', async () => {
    const socket = send('/refused', 10_000_000);
    await once(socket, 'data');
    socket.write(Buffer.alloc(1_000_000));
    await closed(socket);
    expect(socket.bytesWritten).toBeGreaterThan(limits.unreadBody);
  });

  it('nor in time', async () => {
    const socket = send('/refused', 10_000);
    await once(socket, 'data');
    const timer = setInterval(() => socket.write('x'), 20);
    await closed(socket);
    clearInterval(timer);
    expect(socket.bytesWritten).toBeLessThan(limits.unreadBody);
  });
});
