import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ScsConfig } from '#libs/config';
import type { Actor } from '#libs/contract';
import { actorOf } from '../auth/index.js';
import { LIMITS } from '../limits.js';
import { plainLines, redactUrl, type Logger } from '../log.js';
import { failure, JSON_TYPE, type Failure } from './envelope.js';

/** Answers of an API are no documents: nothing in them may run, be framed or be guessed to be something else. */
const SAFE_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

/**
 * With a certificate of the site alone: browsers hold the host to it for a year, on every port. With an own authority people
 * have to be able to look at the start page before they trust it. Never over plain HTTP (RFC 6797 §7.2).
 */
const HSTS = 'max-age=31536000';

export interface HookOptions {
  readonly log: Logger;
  readonly config: ScsConfig;
  /** True from the moment when the process is asked to stop. */
  readonly stopping: () => boolean;
  /** Told after a request whose caller is known. */
  readonly answered: (actor: Actor, from: { address: string; client: string | undefined }) => void;
}

/** What happens to every request before and after its route. */
export function addHooks(fastify: FastifyInstance, { log, config, stopping, answered }: HookOptions): void {
  const strict = config.tls.mode === 'site' && !config.insecureHttp;
  const headers = Object.entries({
    ...SAFE_HEADERS,
    ...(strict ? { 'strict-transport-security': HSTS } : {}),
  });
  const line = plainLines(log);
  fastify.addHook('onRequest', (request, reply, done) => {
    for (const [name, value] of headers) reply.header(name, value);
    if (request.raw.url !== undefined && request.raw.url.length > LIMITS.url)
      return answer(
        reply,
        failure(414, `Expected a URL of at most ${LIMITS.url} characters`, 'url_too_long'),
      );
    // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a
    // Host header field".
    if (request.raw.httpVersion === '1.1' && request.raw.headers.host === undefined)
      return answer(reply, failure(400, 'Expected a Host header', 'bad_request'));
    if (stopping() && !endsWork(request)) {
      reply.header('connection', 'close');
      return answer(reply, failure(503, 'The server is stopping', 'unavailable'));
    }
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const level = isPoll(request) && reply.statusCode < 400 ? 'debug' : 'info';
    line(level, accessLine(request, reply));
    const actor = actorOf(request);
    if (actor !== undefined) answered(actor, { address: request.ip, client: request.headers['user-agent'] });
    // Kept alive, the connection would hold up the end until its idle time is over.
    if (stopping()) setImmediate(() => fastify.server.closeIdleConnections());
    done();
  });
}

/**
 * What ends work that is under way is answered for as long as the port is open, or the work would be lost: a worker of this very process ends before the port
 * does, and gives its build back.
 */
const ENDING = /^\/v1\/build\/[0-9a-f]{24}\/_(?:log|finish)\?/;

function endsWork(request: FastifyRequest): boolean {
  return request.method === 'PUT' && ENDING.test(request.url);
}

/** What machines ask every second says nothing when it goes well. */
const POLLED = new Set(['/healthz', '/readyz', '/v1/auth/revocations', '/v1/auth/uses']);

function isPoll({ url }: FastifyRequest): boolean {
  // Every second of a build that says nothing.
  if (ENDING.test(url)) return true;
  const question = url.indexOf('?');
  return POLLED.has(question === -1 ? url : url.slice(0, question));
}

function answer(reply: FastifyReply, { status, body }: Failure): void {
  void reply.status(status).header('content-type', JSON_TYPE).send(body);
}

/** Every field is ours and none is a secret: the line is written without looking for any. */
function accessLine(request: FastifyRequest, reply: FastifyReply): object {
  const actor = actorOf(request);
  return {
    request: request.id,
    method: request.method,
    url: redactUrl(request.url),
    status: reply.statusCode,
    milliseconds: Math.round(reply.elapsedTime * 10) / 10,
    address: request.ip,
    // Undefined is not written.
    username: actor?.username,
    tokenId: actor?.tokenId,
    cut: reply.raw.writableFinished ? undefined : true,
    msg: 'request',
  };
}
