import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ChangeEvents } from './change-events.js';
import type { CertificatesStore } from './certificates.store.js';
import type { ChangesPage, ChangesStore } from './changes.store.js';
import { LIMITS } from './limits.js';

let server: Server;
let events: ChangeEvents;
let reads: number[];
let changed = (): void => undefined;
let page: (after: number) => Promise<ChangesPage>;
let head: () => Promise<number>;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  reads = [];
  page = async (after) => ({ changes: [], next: after, more: false });
  head = async () => 7;
  const changes = {
    shared: false,
    head: () => head(),
    after: (after: number) => {
      reads.push(after);
      return page(after);
    },
  };
  const certificates = { onChange: (listener: () => void) => (changed = listener) };
  events = new ChangeEvents(changes as unknown as ChangesStore, certificates as unknown as CertificatesStore);
  server = createServer((_, raw) => {
    const reply = { hijack: () => undefined, getHeaders: () => ({}), raw };
    void events.send(reply as unknown as FastifyReply, '127.0.0.1', undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  vi.useRealTimers();
  events.beforeApplicationShutdown();
  server.close();
  await once(server, 'close');
});

/** Opens a stream; gives what comes, piece by piece. */
async function open(): Promise<{ next(): Promise<string>; close(): void }> {
  const asking = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false });
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  const pieces = answer[Symbol.asyncIterator]();
  return {
    next: async () => String((await pieces.next()).value),
    close: () => asking.destroy(),
  };
}

const change = (sequence: number) => ({
  sequence,
  fingerprint: 'ab',
  state: 'present' as const,
  time: '2026-01-01T00:00:00Z',
});

it('says that it is still there after a silence, and not when something came', async () => {
  const stream = await open();
  expect(await stream.next()).toBe('retry: 3000\nid: 7\n\n');
  // What was sent at the beginning counts for the first beat.
  vi.advanceTimersByTime(LIMITS.heartbeatMs);
  vi.advanceTimersByTime(LIMITS.heartbeatMs);
  expect(await stream.next()).toBe(': still here\n\n');
  page = async (after) =>
    after >= 8 ? { changes: [], next: 8, more: false } : { changes: [change(8)], next: 8, more: false };
  changed();
  expect(await stream.next()).toMatch(/^id: 8\nevent: change\ndata: \{.*\}\n\n$/);
  stream.close();
});

it('reads once for all who are at the same place', async () => {
  const streams = [await open(), await open(), await open()];
  for (const stream of streams) await stream.next();
  const before = reads.length;
  page = async (after) => ({ changes: after < 8 ? [change(8)] : [], next: 8, more: false });
  changed();
  for (const stream of streams) expect(await stream.next()).toContain('id: 8\n');
  expect(reads.slice(before)).toEqual([7]);
  for (const stream of streams) stream.close();
});

it('loses no change that comes while the feed is read', async () => {
  const stream = await open();
  await stream.next();
  const reading = Promise.withResolvers<ChangesPage>();
  const begun = Promise.withResolvers<void>();
  page = (after) => {
    begun.resolve();
    return after === 7 ? reading.promise : Promise.resolve({ changes: [], next: after, more: false });
  };
  changed();
  await begun.promise;
  page = async (after) => ({ changes: after < 8 ? [change(8)] : [], next: 8, more: false });
  changed();
  reading.resolve({ changes: [], next: 7, more: false });
  expect(await stream.next()).toContain('id: 8\n');
  stream.close();
});

it('forgets who has gone', async () => {
  const stream = await open();
  await stream.next();
  expect(events.open).toBe(1);
  stream.close();
  await expect.poll(() => events.open).toBe(0);
});

it('ends after an hour, so that whoever listens has to ask again', async () => {
  const stream = await open();
  await stream.next();
  for (let beat = 1; beat < LIMITS.eventBeats; beat += 1) vi.advanceTimersByTime(LIMITS.heartbeatMs);
  expect(events.open).toBe(1);
  vi.advanceTimersByTime(LIMITS.heartbeatMs);
  await expect.poll(() => events.open).toBe(0);
  let last = '';
  while (last !== 'undefined') last = await stream.next();
});

it.each([
  ['an address', () => '127.0.0.1'],
  ['a /64 of IPv6', (number: number) => `2001:db8::${number.toString(16)}`],
])('lets no more in from %s, also when all come at once', async (_, addressOf) => {
  const { promise, reject } = Promise.withResolvers<number>();
  head = () => promise;
  // Nothing is sent to whoever is refused, or waits.
  const ask = (number: number) => events.send({} as FastifyReply, addressOf(number), undefined);
  const waiting = Array.from({ length: LIMITS.eventStreamsPerAddress }, (__, number) => ask(number));
  await expect(ask(LIMITS.eventStreamsPerAddress)).rejects.toMatchObject({ reason: 'too_many_streams' });
  reject(new Error('the database is away'));
  expect((await Promise.allSettled(waiting)).every(({ status }) => status === 'rejected')).toBe(true);
  expect(events.open).toBe(0);
});
