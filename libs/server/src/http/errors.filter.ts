import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, isServerFault, messageOf } from '#libs/core';
import type { AuditDesk } from '../audit/index.js';
import { redactUrl, type Logger } from '../log.js';
import { failure, type Failure, failureOf, JSON_TYPE } from './envelope.js';
import { forReaders } from './message-only.js';

/**
 * The one place where errors become answers: always the envelope, never a stack. A client that went away is no error;
 * an error after the first byte of the answer can only cut the connection, so that nobody takes half a file for a whole one.
 */
@Catch()
export class ErrorsFilter implements ExceptionFilter {
  readonly #log: Logger;
  readonly #audit: Pick<AuditDesk, 'recordThen'>;
  readonly #methodsAt: (target: string) => readonly string[];

  /** @param methodsAt which methods a request target has */
  constructor(
    log: Logger,
    audit: Pick<AuditDesk, 'recordThen'>,
    methodsAt: (target: string) => readonly string[],
  ) {
    this.#log = log;
    this.#audit = audit;
    this.#methodsAt = methodsAt;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const failed = (request.is404 ? this.#otherMethod(request, reply) : undefined) ?? failureOf(error);
    this.#audit.recordThen(request, error, () => this.#answer(error, request, reply, failed));
  }

  /** There is something at this address, for other methods. */
  #otherMethod(request: FastifyRequest, reply: FastifyReply): Failure | undefined {
    const methods = this.#methodsAt(request.url);
    if (methods.length === 0) return undefined;
    reply.header('allow', methods.join(', '));
    return failure(405, `Expected ${methods.join(' or ')}, got ${request.method}`, 'method_not_allowed');
  }

  #answer(error: unknown, request: FastifyRequest, reply: FastifyReply, { status, body }: Failure): void {
    const line = { request: request.id, method: request.method, url: redactUrl(request.url) };
    if (clientLeft(request)) {
      this.#log.debug(line, 'The client went away');
      reply.raw.destroy();
      return;
    }
    if (isServerFault(status)) this.#log.error({ ...line, error: detailsOf(error) }, messageOf(error));
    if (reply.raw.headersSent) {
      if (!isServerFault(status))
        this.#log.warn({ ...line, error: detailsOf(error) }, 'Failed in the middle of an answer');
      reply.raw.destroy();
      return;
    }
    if (status === 401 && !reply.hasHeader('www-authenticate'))
      reply.header('www-authenticate', 'Bearer realm="scs"');
    if (error instanceof DomainError && error.retryAfter !== undefined)
      reply.header('retry-after', String(error.retryAfter));
    void reply
      .status(status)
      .header('content-type', JSON_TYPE)
      .send(forReaders({ status, body }, request.headers['user-agent']).body);
  }
}

function clientLeft(request: FastifyRequest): boolean {
  return request.raw.socket.destroyed || (request.raw.destroyed && !request.raw.complete);
}

/** What the log keeps of an error: the stack, and the chain of causes. */
export function detailsOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { thrown: String(error) };
  return {
    name: error.name,
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: detailsOf(error.cause) }),
  };
}
