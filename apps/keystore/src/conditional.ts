import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Moment } from './answers.js';

/** A second change within this time could have the same Last-Modified. */
const SETTLED = 2000;

/**
 * Says what an answer is known by, and whether the client has it already: then it is 304 (RFC 9110 §13.2.2).
 * @param now milliseconds
 */
export function isKnown(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, modified }: { readonly etag: string; readonly modified: Moment },
  now: number,
): boolean {
  const settled = now - modified.milliseconds >= SETTLED;
  reply.header('etag', etag);
  if (settled) reply.header('last-modified', modified.text);
  const { 'if-none-match': tags, 'if-modified-since': since } = request.headers;
  // A date is compared as it is: what an answer consists of may also have become older (a key is gone).
  const known =
    tags === undefined ? since !== undefined && settled && since === modified.text : isAmong(etag, tags);
  if (known) void reply.status(304);
  return known;
}

function isAmong(etag: string, tags: string): boolean {
  if (tags.trim() === '*') return true;
  return tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
