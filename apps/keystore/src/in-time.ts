import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '#libs/core';
import { DATABASE, type Database } from './database.store.js';
import { LIMITS } from './limits.js';

/**
 * Answers before clients hang up, also when the database does not answer, and then with 500: of a server that says 502 or 503
 * gpg thinks that it is dead, for an hour and a half, or asks it five times over (keystore contract §0 rule 18).
 */
@Injectable()
export class InTime {
  /** A file answers at once or not at all. */
  readonly #mayHang: boolean;

  constructor(@Inject(DATABASE) database: Database) {
    this.#mayHang = database.driver !== 'sqlite';
  }

  /** @throws DomainError `internal` in place of `unavailable`, and when it takes too long; whatever the work throws */
  async answer<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await (this.#mayHang ? beforeLong(work()) : work());
    } catch (error) {
      throw error instanceof DomainError && error.code === 'unavailable' ? cannotAnswer(error) : error;
    }
  }
}

async function beforeLong<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(cannotAnswer(undefined)), LIMITS.answerTime);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const cannotAnswer = (cause: unknown): DomainError =>
  new DomainError('internal', 'The keystore cannot answer at the moment', {
    reason: 'database_unavailable',
    cause,
  });
