import { isIPv6 } from 'node:net';
import { DomainError } from '#libs/core';
import { AUTH_LIMITS } from './limits.js';

interface Window {
  count: number;
  ends: number;
}

/** Counts wrong passwords, so that nobody can try many. In memory: a restart forgets, and so does the end of a window. */
export class Attempts {
  readonly #elapsed: () => number;
  readonly #windows = new Map<string, Window>();

  /** @param elapsed milliseconds that only grow */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  /**
   * Counts a try before the password is looked at: tries at the same time cannot slip through together.
   * @returns call it when the password was right: the try is taken back
   * @throws DomainError `too_many_requests`, with the seconds to wait
   */
  begin(username: string, address: string): () => void {
    const from = networkOf(address);
    const bounds = [
      [`pair ${from} ${username}`, AUTH_LIMITS.attemptsPerAccountAndAddress],
      [`address ${from}`, AUTH_LIMITS.attemptsPerAddress],
      [`account ${username}`, AUTH_LIMITS.attemptsPerAccount],
    ] as const;
    const now = this.#elapsed();
    const windows = bounds.map(([key, most]) => ({ window: this.#window(key, now), most }));
    const full = windows.filter(({ window, most }) => window.count >= most);
    if (full.length > 0) throw tooMany(Math.max(...full.map(({ window }) => window.ends)) - now);
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

/** An IPv6 customer has at least a /64: its addresses are one. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const missing = 8 - left.length - (tail === undefined || tail === '' ? 0 : tail.split(':').length);
  const groups = tail === undefined ? left : [...left, ...Array.from({ length: missing }, () => '0')];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function tooMany(milliseconds: number): DomainError {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new DomainError('too_many_requests', `Too many wrong passwords: try again in ${seconds} seconds`, {
    reason: 'too_many_attempts',
    retryAfter: seconds,
  });
}
