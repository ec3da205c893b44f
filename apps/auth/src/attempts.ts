import { DomainError } from '#libs/core';
import { networkOf } from '#libs/server';
import { AUTH_LIMITS } from './limits.js';
import { Windows } from './windows.js';

/** Counts wrong passwords, so that nobody can try many. */
export class Attempts {
  readonly #windows: Windows;

  /** @param elapsed milliseconds that only grow */
  constructor(elapsed: () => number) {
    this.#windows = new Windows(elapsed);
  }

  /**
   * Counts a try before the password is looked at: tries at the same time cannot slip through together.
   * @returns call it when the password was right: the try is taken back
   * @throws DomainError `too_many_requests`, with the seconds to wait
   */
  begin(username: string, address: string): () => void {
    const from = networkOf(address);
    return this.#windows.take(
      [
        [`pair ${from} ${username}`, AUTH_LIMITS.attemptsPerAccountAndAddress],
        [`address ${from}`, AUTH_LIMITS.attemptsPerAddress],
        [`account ${username}`, AUTH_LIMITS.attemptsPerAccount],
      ],
      tooMany,
    );
  }

  /** How many counters are kept. */
  get size(): number {
    return this.#windows.size;
  }
}

function tooMany(seconds: number): DomainError {
  return new DomainError('too_many_requests', `Too many wrong passwords: try again in ${seconds} seconds`, {
    reason: 'too_many_attempts',
    retryAfter: seconds,
  });
}
