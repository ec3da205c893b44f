import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { DomainError } from '#libs/core';
import { parseJson } from './failures.js';
import { CLIENT_LIMITS } from './limits.js';

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface AnswerParts {
  readonly status: number;
  readonly headers: Headers;
  readonly url: URL;
  readonly what: string;
  readonly body: Readable;
  readonly explain: (error: unknown) => unknown;
}

/** An answer whose headers are there. Read its body by exactly one of the methods, or discard it. */
export class Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Where it came from, after redirects. */
  readonly url: URL;
  readonly #parts: AnswerParts;

  constructor(parts: AnswerParts) {
    this.status = parts.status;
    this.headers = parts.headers;
    this.url = parts.url;
    this.#parts = parts;
  }

  /** A header's first value. */
  header(name: string): string | undefined {
    const value = this.headers[name.toLowerCase()];
    return Array.isArray(value) ? value[0] : value;
  }

  /** The body as a stream of chunks. Failures of the network are explained. Not read to the end: the connection closes. */
  async *chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.#parts.body) yield chunk as Buffer;
    } catch (error) {
      throw this.#parts.explain(error);
    }
  }

  /** @throws DomainError `too_large` beyond `limit` bytes */
  async bytes(limit: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.chunks()) {
      size += chunk.length;
      if (size > limit) {
        throw new DomainError(
          'too_large',
          `The answer to ${this.#parts.what} is longer than ${limit} bytes`,
          {
            reason: 'answer_too_large',
          },
        );
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** @throws DomainError `too_large` beyond `limit` bytes */
  async text(limit: number = CLIENT_LIMITS.text): Promise<string> {
    return (await this.bytes(limit)).toString('utf8');
  }

  /**
   * The body as JSON of a shape.
   * @throws DomainError `unavailable` with reason `bad_answer` when it is none, or of another shape
   */
  async json<S extends z.ZodType>(schema: S, limit: number = CLIENT_LIMITS.json): Promise<z.output<S>> {
    const parsed = schema.safeParse(parseJson((await this.bytes(limit)).toString('utf8')));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
    throw new DomainError(
      'unavailable',
      `The answer to ${this.#parts.what} is not what was expected${where}: ${issue?.message ?? 'no JSON'}`,
      { reason: 'bad_answer', remedy: 'Check that the address belongs to a service of this kind' },
    );
  }

  /** Drops the body so that the connection can be used again. */
  async discard(): Promise<void> {
    try {
      await this.bytes(CLIENT_LIMITS.error);
    } catch {
      this.#parts.body.destroy();
    }
  }
}
