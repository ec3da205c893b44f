import { Session } from 'node:inspector';

/** A function's block as V8 counts it. */
interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}
interface Taken {
  readonly result: readonly {
    readonly scriptId: string;
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
}

/**
 * Which blocks of some sources were entered, by V8's own counters: nothing is instrumented, so what is fuzzed is what runs. Taking
 * them costs some milliseconds, whatever was done between.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #isOurs: (url: string) => boolean;

  /** @param isOurs which scripts count, by their URL */
  constructor(isOurs: (url: string) => boolean) {
    this.#isOurs = isOurs;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** The blocks that were entered since the last call. */
  take(): string[] {
    const entered: string[] = [];
    // The callback is called before `post` returns: the session is one of this very thread.
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error !== null) throw error;
      for (const { url, scriptId, functions } of (taken as Taken).result) {
        if (!this.#isOurs(url)) continue;
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges)
            if (count > 0) entered.push(`${scriptId}:${startOffset}:${endOffset}`);
      }
    });
    return entered;
  }
}
