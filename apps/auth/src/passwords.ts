import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { DomainError, newSecret } from '#libs/core';
import { AUTH_LIMITS } from './limits.js';

/** Argon2id as OWASP advises for it: 19 MiB, two passes, one lane. The hash carries these, so they can be raised later. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Password hashes, a bounded number at a time: each needs 19 MiB and a core. */
@Injectable()
export class Passwords {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /**
   * A hash of a password that nobody has: compared with when there is no such account, so that the time of the answer does not
   * tell who has one.
   */
  #nobody: Promise<string> | undefined;

  /** The hash to keep. @throws DomainError `too_many_requests` when too many already wait */
  hash(password: string): Promise<string> {
    return this.#bounded(() => hash(password, COST));
  }

  /** Whether `password` is the one; with undefined for the hash it takes as long and is false. */
  verify(passwordHash: string | undefined, password: string): Promise<boolean> {
    return this.#bounded(async () => {
      this.#nobody ??= hash(newSecret(), COST);
      const right = await verify(passwordHash ?? (await this.#nobody), password);
      return right && passwordHash !== undefined;
    });
  }

  async #bounded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= AUTH_LIMITS.hashesAtOnce) {
      if (this.#waiting.length >= AUTH_LIMITS.hashesWaiting)
        throw new DomainError('too_many_requests', 'Too many passwords are being checked', {
          reason: 'too_many_attempts',
          retryAfter: 1,
        });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      // Whoever waits takes the place over; without one it becomes free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
