import type { ServerResponse } from 'node:http';
import { type ByteRange, contentRange, readRange, unsatisfiedRange } from '#libs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BufferPool, DownloadBuffers, PaceWatch } from './bufferPool.js';
import { STREAM_LIMITS } from './limits.js';

/** Bytes that can be read at any position. */
export interface ByteSource {
  readonly size: number;
  /** Told before the bytes from `start` to `end` (the last one) are read, one after the other. */
  expect?(start: number, end: number): void;
  /** Fills `target` from `position` on; fewer bytes only at the end. */
  read(target: Buffer, position: number): Promise<number>;
}

export interface SendOptions {
  readonly contentType: string;
  /** A strong validator of the bytes, with its quotes. */
  readonly etag: string;
}

const pool = new BufferPool();

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
  return writeRange(response, source, part);
}

/** RFC 9110 §14.2: "A server MUST ignore a Range header field received with a request method other than GET". */
function rangeHeader(request: FastifyRequest, etag: string): string | undefined {
  if (request.method !== 'GET') return undefined;
  // §13.1.5: with an If-Range that does not match, the whole representation is sent. A date never matches: we have none.
  const condition = request.headers['if-range'];
  return condition === undefined || condition === etag ? request.headers.range : undefined;
}

/** The read loop: the next buffer is read while the last ones are on their way. */
async function writeRange(
  response: ServerResponse,
  source: ByteSource,
  range: ByteRange,
): Promise<'sent' | 'cut'> {
  const length = range.end - range.start + 1;
  const buffers = new DownloadBuffers(pool, length);
  const watch = new PaceWatch();
  const underway: Promise<boolean>[] = [];
  response.setTimeout(STREAM_LIMITS.sendIdleTime, () => response.destroy());
  source.expect?.(range.start, range.end);
  try {
    let position = range.start;
    for (let turn = 0; position <= range.end; turn += 1) {
      const slot = turn % STREAM_LIMITS.buffersPerDownload;
      if ((await underway[slot]) === false || response.closed) return 'cut';
      const buffer = buffers.at(slot, watch.pace);
      const wanted = buffer.subarray(0, Math.min(buffer.length, range.end + 1 - position));
      const count = await source.read(wanted, position);
      if (count === 0) throw new Error(`Expected ${range.end + 1} bytes, the source ended at ${position}`);
      underway[slot] = write(response, wanted.subarray(0, count), watch);
      position += count;
    }
    const all = (await Promise.all(underway)).every(Boolean);
    if (all) response.end();
    return all ? 'sent' : 'cut';
  } catch (error) {
    // The status is out already: only a cut connection keeps the client from taking a part for the whole.
    response.destroy();
    throw error;
  } finally {
    response.setTimeout(0);
    await Promise.all(underway);
    buffers.give();
  }
}

/** Resolves when the bytes have left the buffer: true, or false when the client has gone. Never rejects. */
function write(response: ServerResponse, bytes: Buffer, watch: PaceWatch): Promise<boolean> {
  const begin = performance.now();
  return new Promise((resolve) => {
    // The callback of a write to a connection that breaks is not called in every case; `close` is.
    const onClose = (): void => resolve(false);
    response.once('close', onClose);
    response.write(bytes, (error) => {
      response.off('close', onClose);
      watch.note(bytes.length, performance.now() - begin);
      resolve(!error);
    });
  });
}
