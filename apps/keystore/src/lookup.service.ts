import { Injectable } from '@nestjs/common';
import { DomainError } from '#libs/core';
import { CertificatesStore, type StoredCertificate } from './certificates.store.js';
import { handleOf } from './handles.js';
import { LIMITS } from './limits.js';
import type { Lookup } from './lookup.request.js';
import type { Search } from './search.js';

/** Finds certificates. Costs a look-up per handle, however many certificates there are. */
@Injectable()
export class LookupService {
  constructor(private readonly certificates: CertificatesStore) {}

  /**
   * What the first reading of the search term that finds something finds.
   * @throws DomainError `not_found` when none does: never an empty success (keystore contract §0 rule 15)
   */
  async find({ operation, searches }: Lookup): Promise<readonly StoredCertificate[]> {
    const limit = operation === 'get' ? LIMITS.certificates : LIMITS.listed;
    for (const search of searches) {
      const found = await this.#search(search, limit);
      if (found.length > 0) return found.toSorted(byUsefulness);
    }
    throw new DomainError('not_found', 'No matching keys found', { reason: 'key_not_found' });
  }

  async #search(search: Search, limit: number): Promise<readonly StoredCertificate[]> {
    switch (search.kind) {
      case 'fingerprint': {
        // The one case that never needs the handles: clients verify with full fingerprints.
        const direct = await this.certificates.get(search.hex);
        return direct === undefined ? this.#byHandle(handleOf.fingerprint(search.hex), 1) : [direct.value];
      }
      case 'key_id':
        return this.#byHandle(handleOf.keyId(search.hex), limit);
      case 'short_key_id':
        return this.#byHandle(handleOf.shortKeyId(search.hex), limit);
      case 'email':
        return this.#byHandle(handleOf.email(search.address), limit);
      case 'words':
        return this.#byWords(search.words, limit);
    }
  }

  /**
   * Only the best matches: certificates that match by a subkey are left out when a primary key matches (keystore contract §1.6),
   * and those that only claim a subkey when another one has its word.
   */
  async #byHandle(handle: string, limit: number): Promise<readonly StoredCertificate[]> {
    const found = await this.certificates.find(handle, limit);
    const wanted = found.filter((one) => one.place === found[0]?.place);
    return this.certificates.getMany(wanted.map(({ fingerprint }) => fingerprint));
  }

  async #byWords(words: readonly string[], limit: number): Promise<readonly StoredCertificate[]> {
    let matching: string[] | undefined;
    for (const word of words) {
      const found = new Set(
        (await this.certificates.find(handleOf.word(word), LIMITS.listed)).map((one) => one.fingerprint),
      );
      matching =
        matching === undefined ? [...found] : matching.filter((fingerprint) => found.has(fingerprint));
    }
    return this.certificates.getMany((matching ?? []).slice(0, limit));
  }
}

/** Valid ones first, then the newest, then by fingerprint. */
function byUsefulness(a: StoredCertificate, b: StoredCertificate): number {
  return (
    Number(a.revoked) - Number(b.revoked) || b.created - a.created || (a.fingerprint < b.fingerprint ? -1 : 1)
  );
}
