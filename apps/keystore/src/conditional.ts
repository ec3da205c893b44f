import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A strong validator for some content, with its quotes. */
export const etagOf = (content: string): string => `"${hash('sha256', content, 'base64url').slice(0, 27)}"`;

/**
 * Says in the answer which version it is, and 304 when the client has that one (RFC 9110 §13.1.2).
 * @returns whether the client has it: then there is nothing to send
 */
export function isKnown(request: FastifyRequest, reply: FastifyReply, etag: string): boolean {
  void reply.header('etag', etag);
  const known = request.headers['if-none-match'];
  if (known === undefined) return false;
  // "the recipient MUST use weak comparison": the mark of weak ones does not count.
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!tags.includes(etag) && !tags.includes('*')) return false;
  void reply.status(304);
  return true;
}
