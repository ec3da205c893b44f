import { DomainError } from '#libs/core';

/** Longest line that answers a question, in bytes: a token has at most 4096 (library contract §2.3). */
const MAXIMUM_LINE = 8192;

/** The lines of a stream that is no terminal, one at a time. */
export class PipedLines {
  readonly #chunks: AsyncIterator<unknown>;
  #rest = Buffer.alloc(0);

  constructor(input: NodeJS.ReadableStream) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /**
   * The next line without its end; undefined when there is none. The last one may lack an end.
   * @throws the reason of the signal
   * @throws DomainError `too_large`
   */
  async next(signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) return this.#take(end, end + 1);
      if (this.#rest.length > MAXIMUM_LINE)
        throw new DomainError('too_large', `Expected a line of at most ${MAXIMUM_LINE} bytes`);
      const { done, value } = await unlessAborted(this.#chunks.next(), signal);
      if (done === true) return this.#rest.length === 0 ? undefined : this.#take(this.#rest.length);
      this.#rest = Buffer.concat([this.#rest, Buffer.from(value as Buffer)]);
    }
  }

  #take(end: number, next = end): string {
    const line = this.#rest.toString('utf8', 0, end);
    this.#rest = this.#rest.subarray(next);
    return line.replace(/\r$/, '');
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
