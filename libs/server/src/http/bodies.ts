import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../limits.js';

/** The limits that this file keeps; see LIMITS. */
export type BodyLimits = Readonly<Record<'bodyIdleTime' | 'bodyCheckInterval' | 'unreadBodyTime', number>>;

/**
 * Bodies belong to the handlers: every content type, also none, arrives as the raw stream. This file watches over those that
 * nobody reads to the end: of a client that stops sending, and of one that was answered and goes on sending.
 */
export function takeRawBodies(fastify: FastifyInstance, limits: BodyLimits = LIMITS): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  const open = new Map<IncomingMessage, Progress>();
  const timer = setInterval(() => cutIdle(open, limits), limits.bodyCheckInterval).unref();
  fastify.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    if (hasBody(raw)) {
      open.set(raw, { bytes: 0, since: Date.now() });
      raw.once('close', () => open.delete(raw));
      reply.raw.once('finish', () => limitRest(raw, reply.raw, limits));
    }
    done();
  });
  fastify.addHook('onClose', (_instance, done) => {
    clearInterval(timer);
    done();
  });
}

interface Progress {
  bytes: number;
  since: number;
}

function hasBody(request: IncomingMessage): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  );
}

/** Cuts clients that owe a part of their body, while somebody waits for it, and sent nothing for a whole idle time. */
function cutIdle(open: Map<IncomingMessage, Progress>, limits: BodyLimits): void {
  for (const [request, progress] of open) {
    const { bytesRead } = request.socket;
    const waiting = !request.complete && request.readableLength === 0;
    if (!waiting || bytesRead !== progress.bytes) {
      progress.bytes = bytesRead;
      progress.since = Date.now();
    } else if (Date.now() - progress.since >= limits.bodyIdleTime) request.socket.destroy();
  }
}

/**
 * Node reads and drops what follows an early answer, so that the client gets to see it: some look for one only when they have sent
 * everything. It may not do so for ever.
 */
function limitRest(request: IncomingMessage, response: ServerResponse, limits: BodyLimits): void {
  if (request.complete) return;
  const cut = (): void => {
    clearTimeout(timer);
    request.socket.destroy();
  };
  const timer = setTimeout(cut, limits.unreadBodyTime).unref();
  request.once('close', () => clearTimeout(timer));
  request.once('end', () => clearTimeout(timer));
  if (response.destroyed) cut();
}
