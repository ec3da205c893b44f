import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Moment } from './answers.js';

/** A second change within this time could have the same Last-Modified. */
const SETTLED = 2000;

/** A strong validator for some content, with its quotes. */
export const etagOf = (content: string | Uint8Array): string =>
  `"${hash('sha256', content, 'base64url').slice(0, 27)}"`;

/**
 * Says in the answer which version it is, and 304 when the client has that one (RFC 9110 §13.2.2).
 * @param modified when it was changed last; `now` in milliseconds
 * @returns whether the client has it: then there is nothing to send
 */
export function isKnown(
  request: FastifyRequest,
  reply: FastifyReply,
  etag: string,
  modified?: Moment & { readonly now: number },
): boolean {
  const date =
    modified !== undefined && modified.now - modified.milliseconds >= SETTLED ? modified.text : undefined;
  reply.header('etag', etag);
  if (date !== undefined) reply.header('last-modified', date);
  const { 'if-none-match': tags, 'if-modified-since': since } = request.headers;
  // A date is compared as it is: what an answer consists of may also have become older, when a key is gone.
  const known = tags === undefined ? since !== undefined && since === date : isAmong(etag, tags);
  if (known) void reply.status(304);
  return known;
}

/** "the recipient MUST use weak comparison": the mark of weak ones does not count. */
function isAmong(etag: string, tags: string): boolean {
  return tags
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === etag || tag === '*');
}
