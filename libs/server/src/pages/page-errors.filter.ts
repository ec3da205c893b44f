import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, isServerFault } from '#libs/core';
import { AuditDesk } from '../audit/audit-desk.js';
import { failureOf } from '../http/envelope.js';
import { LOG, type Logger } from '../log.js';
import { markup, page, PAGE_POLICY } from './html.js';

/** A refusal of a page is a page: people read it. What is no DomainError goes to the filter of all routes. */
@Catch(DomainError)
export class PageErrorsFilter implements ExceptionFilter<DomainError> {
  constructor(
    @Inject(LOG) private readonly log: Logger,
    private readonly audit: AuditDesk,
  ) {}

  catch(error: DomainError, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    this.audit.recordThen(http.getRequest<FastifyRequest>(), error, () => this.#answer(error, reply));
  }

  #answer(error: DomainError, reply: FastifyReply): void {
    const { status, body } = failureOf(error);
    if (isServerFault(status)) this.log.error({ error: error.stack }, error.message);
    if (reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    // RFC 9110 §15.5.2: a 401 says how to do better.
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="scs"');
    if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter));
    void reply
      .status(status)
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .send(
        page(
          'Not done – SCS',
          markup`<h1>This was not done</h1>
<p role="alert">${body.error.message}</p>
<p><a href="/">Start page</a></p>`,
        ),
      );
  }
}
