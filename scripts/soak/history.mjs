/*
 * What something may be after several have changed it at once, and some of them do not know whether they did: every change is noted with
 * the moments when it was asked for and when its answer came, or did not come. A change is over when one that is sure began later.
 */

/** Moments, in the order in which they came. */
export class Moments {
  #last = 0;

  next() {
    this.#last += 1;
    return this.#last;
  }
}

/** The changes of one thing. */
export class History {
  #moments;
  #changes;

  /** @param first what it is before any change */
  constructor(moments, first) {
    this.#moments = moments;
    this.#changes = [{ value: first, from: 0, to: 0, sure: true }];
  }

  /** @param from when it was asked for; @param sure whether it was acknowledged */
  note(value, from, sure) {
    this.#changes.push({ value, from, to: this.#moments.next(), sure });
  }

  /** Every change, with those of `others`, that may have been the last. */
  last(others = []) {
    const all = [...this.#changes, ...others];
    const begun = Math.max(...all.filter(({ sure }) => sure).map(({ from }) => from));
    return all.filter(({ to }) => to >= begun);
  }

  /** What it may be. */
  possible(others) {
    return new Set(this.last(others).map(({ value }) => value));
  }

  /** All changes but the beginning. */
  get changes() {
    return this.#changes.slice(1);
  }
}
