import { setTimeout as delay } from 'node:timers/promises';
import { type HttpClient, ResponseError } from '#libs/client';
import { JOB_PATHS, type JobOutcome, LogAnswer, type Ticket, TicketAnswer } from '#libs/contract';
import { DomainError } from '#libs/core';
import { LIMITS } from './limits.js';

/**
 * One build at the builder, as its worker sees it. The builder may be restarting: everything here is repeated until it answers, and may be, because
 * a log is appended by offset and a build ends once.
 */
export class BuilderConnection {
  constructor(
    private readonly id: string,
    /** With the token of the ticket. */
    private readonly http: HttpClient,
  ) {}

  /** Asks for the ticket of a build. @throws DomainError `gone` when nobody wants it any more */
  static async ticket(http: HttpClient, id: string, proof: () => Promise<string>): Promise<Ticket> {
    return again(async () => {
      const clientAssertion = await proof();
      return (
        await http.sendJson('POST', JOB_PATHS.ticket(id), { clientAssertion }, TicketAnswer, {
          timeout: 30_000,
        })
      ).data;
    });
  }

  /** Appends to the log. Says how much there is and whether the build is still wanted. */
  async append(offset: number, text: Uint8Array): Promise<{ size: number; wanted: boolean }> {
    return again(async () => {
      const answer = await this.http.request({
        method: 'PUT',
        url: JOB_PATHS.log(this.id, offset),
        body: text,
        timeout: 30_000,
      });
      return (await answer.json(LogAnswer)).data;
    });
  }

  async finish(outcome: JobOutcome): Promise<void> {
    await again(async () => {
      const answer = await this.http.request({
        method: 'PUT',
        url: JOB_PATHS.finish(this.id),
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(outcome),
        timeout: 30_000,
      });
      await answer.discard();
    });
  }

  /** The build context, as a stream of the archive's bytes. */
  async context(signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    const answer = await again(() => this.http.request({ url: JOB_PATHS.context(this.id), signal }));
    return answer.chunks();
  }
}

/** Repeats a call while the builder cannot be reached or is not ready; everything else is an answer. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const answered = error instanceof ResponseError && error.httpStatus < 500;
      if (!(error instanceof DomainError) || answered || attempt >= LIMITS.callAttempts) throw error;
      await delay(Math.min(LIMITS.retryPause, 50 * 2 ** attempt));
    }
  }
}
