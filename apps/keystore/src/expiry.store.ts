import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import {
  type CertificateIndex,
  CERTIFICATES,
  type Holding,
  type HoldingIndex,
  HOLDINGS,
  type StoredCertificate,
} from './collections.store.js';
import { DATABASE, type Database } from './database.store.js';

/** What expires in a span of time. */
export interface Span {
  /** Unix seconds, inclusive. */
  readonly from: number;
  /** Unix seconds, exclusive. */
  readonly before: number;
  readonly limit: number;
  readonly cursor?: string;
}

export interface ExpiringPage {
  readonly certificates: readonly StoredCertificate[];
  readonly cursor: string | undefined;
}

/** Certificates by the time of their end: an index, not a walk. */
@Injectable()
export class ExpiryStore {
  readonly #certificates: Collection<StoredCertificate, CertificateIndex>;
  readonly #holdings: Collection<Holding, HoldingIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#certificates = database.collection<StoredCertificate, CertificateIndex>(CERTIFICATES);
    this.#holdings = database.collection<Holding, HoldingIndex>(HOLDINGS);
  }

  /** Everybody's, the first to end first. */
  async all(span: Span): Promise<ExpiringPage> {
    const { items, cursor } = await this.#certificates.scan('byExpiry', span);
    return { certificates: items.map(({ value }) => value), cursor };
  }

  /** How many of everybody there are; counted up to `limit`. */
  async count({ from, before, limit }: Omit<Span, 'cursor'>): Promise<number> {
    return (await this.#certificates.keys('byExpiry', { from, before, limit })).length;
  }

  /** Those that an account brought or owns. */
  async of(account: string, span: Span): Promise<ExpiringPage> {
    const { items, cursor } = await this.#holdings.scan('byExpiry', { equal: [account], ...span });
    const found = await this.#certificates.getMany(items.map(({ value }) => value.fingerprint));
    return { certificates: found.map(({ value }) => value), cursor };
  }
}
