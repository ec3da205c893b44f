import fastify, { type FastifyInstance } from 'fastify';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DomainError } from '#libs/core';
import { EventStreams, type OpenStream } from './event-streams.js';

const LIMITS = { streams: 3, perClient: 2, heartbeatMs: 20, beats: 1000, idleMs: 100, pollMs: 20 };

describe('streams of events', () => {
  let app: FastifyInstance;
  let port: number;
  let streams: EventStreams;
  let follow: (stream: OpenStream, query: Record<string, string>) => Promise<void>;
  let hasEnded: () => boolean;
  const open = (limits: Partial<typeof LIMITS> = {}): EventStreams =>
    new EventStreams({
      limits: { ...LIMITS, ...limits },
      tooMany: () => new DomainError('too_many_requests'),
    });

  beforeEach(async () => {
    streams = open();
    hasEnded = () => false;
    app = fastify();
    app.get('/:client', async (asked, reply) => {
      const { client } = asked.params as { client: string };
      await streams.serve(reply, client, {
        prepare: async () => asked.query as Record<string, string>,
        follow: (stream, query) => follow(stream, query),
        hasEnded: () => hasEnded(),
      });
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    port = (app.server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    streams.close();
    await app.close();
  });

  const ask = async (path: string): Promise<IncomingMessage> => {
    const asking = request({ port, path, agent: false });
    asking.on('error', () => undefined).end();
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    return answer;
  };
  const beats = async (stream: OpenStream): Promise<void> => {
    while (stream.isOpen) {
      const { silent, woken } = stream.turn();
      if (silent) await stream.write(': beat\n\n');
      await woken;
    }
  };

  it('a client that takes nothing is cut off, and is in the way of nobody', async () => {
    const chunk = 'x'.repeat(1024 * 1024);
    follow = async (stream, { slow }) => {
      if (slow === 'yes') while (stream.isOpen) await stream.write(chunk);
      await beats(stream);
    };
    const slow = await ask('/one?slow=yes');
    slow.pause();
    const quick = await ask('/two');
    const [first] = (await once(quick, 'data')) as [Buffer];
    expect(String(first)).toBe(': beat\n\n');
    await expect.poll(() => streams.open).toBe(1);
    await once(quick, 'data');
    slow.destroy();
    quick.destroy();
    await expect.poll(() => streams.open).toBe(0);
  });

  it('are so many at once, in all and of one client', async () => {
    follow = beats;
    const statuses: (number | undefined)[] = [];
    for (const path of ['/one', '/one', '/one', '/two', '/two']) statuses.push((await ask(path)).statusCode);
    expect(statuses).toEqual([200, 200, 429, 200, 429]);
  });

  it('end after their beats, with the server, and when who listens may not any more', async () => {
    follow = beats;
    const ended = async (answer: IncomingMessage): Promise<void> => {
      answer.resume();
      await once(answer, 'end');
    };
    const one = await ask('/one');
    hasEnded = () => true;
    await ended(one);
    hasEnded = () => false;
    const two = await ask('/two');
    streams.close();
    await ended(two);
    await ended(await ask('/three'));
    streams = open({ beats: 2 });
    await ended(await ask('/four'));
    expect(streams.open).toBe(0);
  });
});
