import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { messageOf } from '#libs/core';
import type { Collection } from '#libs/documents';
import { LOG, type Logger } from '#libs/server';
import {
  type CertificateIndex,
  CERTIFICATES,
  CHANGES_COUNTER,
  type Counter,
  COUNTERS,
  type StoredCertificate,
} from './collections.store.js';
import { DATABASE, type Database } from './database.store.js';
import { LIMITS } from './limits.js';

/** How many certificates there are: counted in the commit of every change, and never by looking at them. */
@Injectable()
export class KeysCount implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #certificates: Collection<StoredCertificate, CertificateIndex>;
  readonly #counters: Collection<Counter, never>;
  #counting: Promise<void> | undefined;
  #closing = false;

  constructor(
    @Inject(DATABASE) database: Database,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.#certificates = database.collection<StoredCertificate, CertificateIndex>(CERTIFICATES);
    this.#counters = database.collection<Counter, never>(COUNTERS);
  }

  /** Undefined for a database of before, until {@link begin} has counted. */
  async read(): Promise<number | undefined> {
    const counter = await this.#counters.get(CHANGES_COUNTER);
    return counter === undefined ? 0 : counter.value.keys;
  }

  onApplicationBootstrap(): void {
    this.#counting = this.begin().catch((error: unknown) => {
      this.log.warn(`The keys were not counted: ${messageOf(error)}`);
    });
  }

  /** Before the module closes the database. */
  async onApplicationShutdown(): Promise<void> {
    this.#closing = true;
    await this.#counting;
  }

  /** Counts once what was stored before certificates were counted. What changes meanwhile begins it anew. */
  async begin(): Promise<void> {
    for (let attempt = 0; attempt < LIMITS.checkAttempts; attempt += 1) {
      const counter = await this.#counters.get(CHANGES_COUNTER);
      if (counter === undefined || counter.value.keys !== undefined) return;
      const keys = await this.#count();
      if (keys === undefined) return;
      const value = { ...counter.value, keys };
      if ((await this.#counters.replace(CHANGES_COUNTER, counter.revision, value)) === 'replaced') return;
    }
  }

  /** @returns undefined when the service stops meanwhile: the next start begins anew */
  async #count(): Promise<number | undefined> {
    let count = 0;
    let from: string | undefined;
    while (!this.#closing) {
      const limit = LIMITS.countedAtOnce;
      const found = await this.#certificates.keys('byFingerprint', {
        limit,
        ...(from !== undefined && { from }),
      });
      count += found.length;
      const last = found.at(-1);
      if (last === undefined || found.length < limit) return count;
      // A blank is less than any digit: what follows this very fingerprint.
      from = `${last.id} `;
    }
    return undefined;
  }
}
