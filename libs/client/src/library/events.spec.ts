import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import type { DomainError } from '#libs/core';
import { HttpClient } from '../http.js';
import { closeAfterwards, closeServers, serve } from '../testing/servers.js';
import { followEvents, type FollowOptions, type ToldEvent } from './events.js';

afterEach(closeServers);

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** What a server tells that does one thing after the other. @returns events so many, and with which id it was asked each time */
async function follow(
  many: number,
  handlers: readonly Handler[],
  options: Partial<FollowOptions> = {},
): Promise<{ readonly told: ToldEvent[]; readonly asked: (string | undefined)[] }> {
  const left = [...handlers];
  const asked: (string | undefined)[] = [];
  const baseUrl = await serve((request, response) => {
    asked.push(request.headers['last-event-id']?.toString());
    left.shift()?.(request, response);
  });
  const http = new HttpClient({ baseUrl, userAgent: 'sing/test' });
  closeAfterwards(http);
  const told: ToldEvent[] = [];
  for await (const event of followEvents(http, { signal: new AbortController().signal, ...options })) {
    told.push(event);
    if (told.length === many) break;
  }
  return { told, asked };
}

const eventOf = (id: string): string => {
  const event = { id, kind: 'tag.set', time: '2026-11-27T10:00:00.000Z', place: 'a/b/c' };
  return `id: at-${id}\nevent: tag.set\ndata: ${JSON.stringify(event)}\n\n`;
};
const telling =
  (...texts: readonly string[]): Handler =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.end(['retry: 5\nid: begin\n\n', ...texts].join(''));
  };
const refusing =
  (status: number): Handler =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { code: status, message: 'Not now' } }));
  };
const cutting =
  (text: string): Handler =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`retry: 5\nid: begin\n\n${text}`, () => response.destroy());
  };

it('goes on where it was after an end and after a cut in the middle of an event', async () => {
  const away: DomainError[] = [];
  const { told, asked } = await follow(
    3,
    [telling(), cutting(eventOf('1') + eventOf('2').slice(0, -10)), telling(eventOf('2'), eventOf('3'))],
    { onAway: (error) => away.push(error) },
  );
  expect(told.map((event) => event !== 'reset' && event.id)).toEqual(['1', '2', '3']);
  expect(asked).toEqual([undefined, 'begin', 'at-1']);
  expect(away).toHaveLength(1);
});

it('waits for a server that is away, and says so once', async () => {
  const away: string[] = [];
  // Every request is sent three times before it has failed.
  const { told, asked } = await follow(
    2,
    [telling(eventOf('1')), ...Array.from({ length: 6 }, () => refusing(503)), telling(eventOf('2'))],
    { onAway: ({ message }) => away.push(message) },
  );
  expect(told).toHaveLength(2);
  expect([away, asked.at(-1)]).toEqual([['Not now'], 'at-1']);
});

it('tells that more has happened than is remembered', async () => {
  const { told } = await follow(1, [telling('event: reset\ndata: {}\n\n')]);
  expect(told).toEqual(['reset']);
});

it.each([
  ['a refusal', [telling(eventOf('1')), refusing(401)], 'Not now'],
  ['a server that is away in the beginning', Array.from({ length: 3 }, () => refusing(503)), 'Not now'],
  ['what is no event', [telling('id: x\ndata: {"kind":1}\n\n')], 'tells no events'],
  [
    'what is no stream',
    [(_: unknown, response: ServerResponse) => response.end('<html>\n\n')],
    'tells no events',
  ],
] satisfies [string, Handler[], string][])('ends with %s', async (_, handlers, message) => {
  await expect(follow(5, handlers)).rejects.toThrow(message);
});

it('ends with its signal, also while it waits', async () => {
  const ctrlC = new AbortController();
  const endless: Handler = (_, response) => {
    telling(eventOf('1'))(_, response);
    response.once('close', () => ctrlC.abort(new Error('Ctrl-C')));
  };
  await expect(follow(2, [endless], { signal: ctrlC.signal })).rejects.toThrow('Ctrl-C');
});
