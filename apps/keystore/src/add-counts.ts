import { Injectable } from '@nestjs/common';
import { DomainError } from '#libs/core';
import { Metrics } from '#libs/server';

/** Counts what became of the keys that somebody brought, one by one or in bulk. */
@Injectable()
export class AddCounts {
  readonly #added;

  constructor(metrics: Metrics) {
    this.#added = metrics.counter({
      name: 'scs_keystore_adds_total',
      help: 'Keys that were brought, by what became of them',
      labels: { result: ['inserted', 'updated', 'unchanged', 'refused'] },
    });
  }

  count(outcome: 'inserted' | 'updated' | 'unchanged' | 'invalid'): void {
    this.#added({ result: outcome === 'invalid' ? 'refused' : outcome });
  }

  /** An upload of which nothing was taken, because of what it is. */
  refused(error: unknown): void {
    if (error instanceof DomainError && error.status < 500 && error.code !== 'too_many_requests')
      this.#added({ result: 'refused' });
  }
}
