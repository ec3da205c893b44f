import { METRICS } from './limits.js';

/** One number, and which one it is. */
export interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Looks something up for whoever asks: seldom, one look at a time, and never for long. */
export class Reading {
  #known: readonly Sample[] = [];
  /** When it became known, in milliseconds that only grow. */
  #at = Number.NEGATIVE_INFINITY;
  #looking: Promise<readonly Sample[]> | undefined;

  /** @param every seconds for which an answer is good */
  constructor(
    private readonly read: () => Promise<readonly Sample[]> | readonly Sample[],
    private readonly every: number,
    private readonly elapsed: () => number = () => performance.now(),
    private readonly most: number = METRICS.readTime,
  ) {}

  /** Nothing when it cannot be looked up now. Never rejects. */
  async get(): Promise<readonly Sample[]> {
    if (this.elapsed() - this.#at < this.every * 1000) return this.#known;
    const { promise: late, resolve } = Promise.withResolvers<readonly Sample[]>();
    const timer = setTimeout(resolve, this.most, []);
    try {
      // A look that hangs stays the only one.
      return await Promise.race([(this.#looking ??= this.#look()), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #look(): Promise<readonly Sample[]> {
    try {
      this.#known = await this.read();
      this.#at = this.elapsed();
      return this.#known;
    } catch {
      // Readiness says what does not work, and the log why.
      return [];
    } finally {
      this.#looking = undefined;
    }
  }
}
