import { AUTH_LIMITS } from './limits.js';

interface Window {
  count: number;
  ends: number;
}

/** What is counted together, and how often it may happen in one window. */
export type Bound = readonly [key: string, most: number];

/** Counts what happens, so that nobody does it too often. In memory: a restart forgets, and so does the end of a window. */
export class Windows {
  readonly #elapsed: () => number;
  readonly #windows = new Map<string, Window>();

  /** @param elapsed milliseconds that only grow */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  /**
   * Counts under every key, or under none when one of them is full.
   * @param refusal makes the error from the whole seconds after which it is worth trying again
   * @returns takes it back
   */
  take(bounds: readonly Bound[], refusal: (seconds: number) => Error): () => void {
    const now = this.#elapsed();
    const windows = bounds.map(([key, most]) => ({ window: this.#window(key, now), most }));
    const full = windows.filter(({ window, most }) => window.count >= most);
    if (full.length > 0) {
      const wait = Math.max(...full.map(({ window }) => window.ends)) - now;
      throw refusal(Math.max(1, Math.ceil(wait / 1000)));
    }
    for (const { window } of windows) window.count += 1;
    return () => {
      for (const { window } of windows) window.count = Math.max(0, window.count - 1);
    };
  }

  /** How many counters are kept. */
  get size(): number {
    return this.#windows.size;
  }

  #window(key: string, now: number): Window {
    const found = this.#windows.get(key);
    if (found !== undefined && found.ends > now) return found;
    this.#windows.delete(key);
    for (const [oldest, window] of this.#windows) {
      if (window.ends > now && this.#windows.size < AUTH_LIMITS.attemptCounters) break;
      this.#windows.delete(oldest);
    }
    const window = { count: 0, ends: now + AUTH_LIMITS.attemptWindowMs };
    this.#windows.set(key, window);
    return window;
  }
}
