/** Milliseconds that a rate is the mean of. */
const WINDOW = 15_000;
/** Below this there is no rate to speak of. */
const LEAST = 500;
const SAMPLES = 60;

/** How fast something goes, from how far it was in the last seconds. */
export class Rate {
  readonly #clock: () => number;
  #samples: { readonly at: number; readonly done: number }[] = [];

  /** @param clock milliseconds that only grow */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  update(done: number): void {
    const at = this.#clock();
    const last = this.#samples.at(-1);
    // Begun anew.
    if (last !== undefined && done < last.done) this.#samples = [];
    // The first sample says where it begins: what was there before took no time.
    if (this.#samples.length > 1 && at - (this.#samples.at(-2)?.at ?? 0) < WINDOW / SAMPLES)
      this.#samples.pop();
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) > WINDOW) this.#samples.shift();
  }

  /** Per second; undefined when it is too early to say, and when it stands still. */
  now(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return undefined;
    const time = this.#clock() - first.at;
    const done = last.done - first.done;
    return time < LEAST || done <= 0 ? undefined : (done / time) * 1000;
  }
}
