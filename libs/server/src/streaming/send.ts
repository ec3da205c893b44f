import { type ByteRange, contentRange, readRange, unsatisfiedRange } from '#libs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ByteSource, sendRange } from './sendRange.js';

export interface SendOptions {
  readonly contentType: string;
  /** A strong validator of the bytes, with its quotes. */
  readonly etag: string;
}

/**
 * Answers a GET or HEAD with a file: whole, or the one range that was asked for (RFC 9110 §14). Resolves when the last byte
 * was handed over or the client has gone; says whether it got everything. The source stays open.
 */
export async function sendSource(
  request: FastifyRequest,
  reply: FastifyReply,
  source: ByteSource,
  options: SendOptions,
): Promise<'sent' | 'cut'> {
  const { size } = source;
  reply.hijack();
  const response = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('etag', options.etag);
  const range = readRange(rangeHeader(request, options.etag), size);
  if (range.kind === 'unsatisfiable') {
    response.writeHead(416, {
      'content-range': unsatisfiedRange(size),
      'content-type': 'application/json; charset=utf-8',
    });
    const message = `Expected a range of the ${size} bytes that there are`;
    response.end(JSON.stringify({ error: { code: 416, message, reason: 'range_not_satisfiable' } }));
    return 'sent';
  }
  response.setHeader('content-type', options.contentType);
  const part: ByteRange = range.kind === 'part' ? range : { start: 0, end: size - 1 };
  response.setHeader('content-length', part.end - part.start + 1);
  if (range.kind === 'part') response.writeHead(206, { 'content-range': contentRange(range, size) });
  else response.writeHead(200);
  if (request.method === 'HEAD') {
    response.end();
    return 'sent';
  }
  return sendRange(response, source, part);
}

/** RFC 9110 §14.2: "A server MUST ignore a Range header field received with a request method other than GET". */
function rangeHeader(request: FastifyRequest, etag: string): string | undefined {
  if (request.method !== 'GET') return undefined;
  // §13.1.5: with an If-Range that does not match, the whole representation is sent. A date never matches: we have none.
  const condition = request.headers['if-range'];
  return condition === undefined || condition === etag ? request.headers.range : undefined;
}
