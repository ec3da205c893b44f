import { setTimeout as delay } from 'node:timers/promises';

/** The longest time that a timer takes. */
const LONGEST = 2 ** 31 - 1;

/** Lets so many bytes pass in a second, on average from its making on. What was not used is not made up for. */
export class Pace {
  readonly #rate: number;
  #free = 0;

  /** @param rate bytes in a second, above 0 */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** After `bytes` have passed: resolves when the next ones may. @throws the reason of the signal */
  async passed(bytes: number, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#free = Math.max(this.#free, now) + (bytes / this.#rate) * 1000;
    const wait = Math.min(LONGEST, this.#free - now);
    if (wait >= 1) await delay(wait, undefined, { signal, ref: false });
  }
}
