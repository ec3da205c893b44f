import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import { CertificatesStore } from './certificates.store.js';
import { type CheckedPart, KeyCheck } from './check.store.js';
import { type CertificateIndex, CERTIFICATES, type StoredCertificate } from './collections.store.js';
import { DATABASE, type Database } from './database.store.js';
import { isServed } from './served.js';

/** What an administrator does with all certificates. */
@Injectable()
export class UpkeepStore {
  readonly #certificates: Collection<StoredCertificate, CertificateIndex>;
  readonly #check: KeyCheck;

  constructor(@Inject(DATABASE) database: Database, certificates: CertificatesStore) {
    this.#certificates = database.collection<StoredCertificate, CertificateIndex>(CERTIFICATES);
    this.#check = new KeyCheck(database, certificates);
  }

  check(from: string | undefined, repair: boolean): Promise<CheckedPart> {
    return this.#check.part(from, repair);
  }

  /** Those that are served, by fingerprint. A page may have fewer than its limit. */
  async export(
    limit: number,
    from: string | undefined,
  ): Promise<{ certificates: readonly StoredCertificate[]; cursor: string | undefined }> {
    const options = { limit, ...(from !== undefined && { cursor: from }) };
    const { items, cursor } = await this.#certificates.scan('byFingerprint', options);
    return { certificates: items.map(({ value }) => value).filter(isServed), cursor };
  }
}
