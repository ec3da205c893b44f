import { setTimeout as delay } from 'node:timers/promises';
import { type HttpClient, ResponseError } from '#libs/client';
import { JOB_PATHS, type JobOutcome, LogAnswer, type Ticket, TicketAnswer } from '#libs/contract';
import { DomainError } from '#libs/core';
import { LIMITS } from './limits.js';

interface TicketOptions {
  readonly id: string;
  readonly tryId: string;
  /** A fresh proof for every attempt: each is good once. */
  readonly proof: () => Promise<string>;
}

/**
 * One try of a build at the builder, as its worker sees it. The builder may be restarting: everything here is repeated until it answers, and may be,
 * because a try has a name, a log is appended by offset, and a build ends once.
 */
export class BuilderConnection {
  readonly #hurry = new AbortController();

  constructor(
    private readonly id: string,
    private readonly tryId: string,
    /** With the token of the ticket. */
    private readonly http: HttpClient,
  ) {}

  /** Asks for the ticket of a try. @throws DomainError `gone` when nobody wants the build any more */
  static async ticket(
    http: HttpClient,
    { id, tryId, proof }: TicketOptions,
    stop: AbortSignal,
  ): Promise<Ticket> {
    return again(async () => {
      const body = { clientAssertion: await proof(), tryId };
      const url = JOB_PATHS.ticket(id);
      return (await http.sendJson('POST', url, body, TicketAnswer, { timeout: 30_000 })).data;
    }, stop);
  }

  /** This process ends: from now on a builder that does not answer at once is not waited for. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Appends to the log. Says how much there is and whether the build is still wanted of this worker. */
  async append(offset: number, text: Uint8Array): Promise<{ size: number; wanted: boolean }> {
    return again(async () => {
      const answer = await this.http.request({
        method: 'PUT',
        url: JOB_PATHS.log(this.id, offset, this.tryId),
        body: text,
        timeout: 30_000,
      });
      return (await answer.json(LogAnswer)).data;
    }, this.#hurry.signal);
  }

  async finish(outcome: JobOutcome): Promise<void> {
    await again(async () => {
      const answer = await this.http.request({
        method: 'PUT',
        url: JOB_PATHS.finish(this.id, this.tryId),
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(outcome),
        timeout: 30_000,
      });
      await answer.discard();
    }, this.#hurry.signal);
  }

  /**
   * The build context, as a stream of the archive's bytes. A connection that breaks is taken up again where it broke.
   * @throws the signal's reason when it is aborted
   */
  async *context(signal: AbortSignal): AsyncGenerator<Buffer> {
    let received = 0;
    for (let broken = 0; ;) {
      const headers: Record<string, string> = received === 0 ? {} : { range: `bytes=${received}-` };
      const request = { url: JOB_PATHS.context(this.id), headers, signal };
      const answer = await again(() => this.http.request(request), signal);
      if (received > 0 && answer.status !== 206) throw new Error('The builder sends a part as the whole');
      try {
        for await (const chunk of answer.chunks()) {
          received += chunk.length;
          broken = 0;
          yield chunk;
        }
        return;
      } catch (error) {
        broken += 1;
        signal.throwIfAborted();
        if (!(error instanceof DomainError) || broken > LIMITS.callAttempts) throw error;
      }
    }
  }
}

/**
 * Repeats a call while the builder cannot be reached or is not ready, until `stop` says so; everything else is an answer. A bug of the builder is one after a few
 * times: other builds wait meanwhile.
 */
async function again<T>(call: () => Promise<T>, stop: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const answered = error instanceof ResponseError && error.httpStatus < 500;
      const isBug = error instanceof ResponseError && error.httpStatus === 500;
      const last = attempt >= (isBug ? LIMITS.bugAttempts : LIMITS.callAttempts) || stop.aborted;
      if (!(error instanceof DomainError) || answered || last) throw error;
      const pause = Math.min(LIMITS.retryPause, 50 * 2 ** attempt);
      await delay(pause, undefined, { signal: stop }).catch(() => undefined);
    }
  }
}
