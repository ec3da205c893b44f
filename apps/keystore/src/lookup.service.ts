import { Injectable } from '@nestjs/common';
import { DomainError } from '#libs/core';
import { CertificatesStore, type StoredCertificate } from './certificates.store.js';
import { handleOf } from './handles.js';
import { LIMITS } from './limits.js';
import { armorOf } from './present.js';
import type { Search } from './search.js';
import { isServed } from './served.js';

/** Finds certificates. Costs a look-up per handle, however many certificates there are. */
@Injectable()
export class LookupService {
  constructor(private readonly certificates: CertificatesStore) {}

  /**
   * The answer of `op=get` to the first reading of the search term that finds something.
   * @throws DomainError `not_found` when none does: never an empty success (keystore contract §0 rule 15)
   */
  async get(searches: readonly Search[]): Promise<string> {
    const { answers } = this.certificates;
    for (const search of searches) {
      const handle = handleIn(search);
      const known = handle === undefined ? undefined : answers.get(handle);
      if (known !== undefined) return known;
      const { changes } = answers;
      const found = await this.#search(search, LIMITS.certificates);
      if (found.length === 0) continue;
      const armor = armorOf(found);
      if (handle !== undefined) answers.put(handle, armor, changes);
      return armor;
    }
    throw notFound();
  }

  /**
   * The certificates that `op=index` lists.
   * @throws DomainError `not_found`, as above
   */
  async list(searches: readonly Search[]): Promise<readonly StoredCertificate[]> {
    for (const search of searches) {
      const found = await this.#search(search, LIMITS.listed);
      if (found.length > 0) return found;
    }
    throw notFound();
  }

  async #search(search: Search, limit: number): Promise<readonly StoredCertificate[]> {
    if (search.kind === 'words') return (await this.#byWords(search.words, limit)).toSorted(byUsefulness);
    if (search.kind === 'fingerprint') {
      // The one case that seldom needs the handles: clients verify with full fingerprints.
      const direct = (await this.certificates.get(search.hex))?.value;
      if (direct === undefined) return this.#byHandle(handleIn(search), 1);
      return isServed(direct) ? [direct] : [];
    }
    if (search.kind === 'email') return this.#byAddress(handleIn(search), limit);
    return (await this.#byHandle(handleIn(search), limit)).toSorted(byUsefulness);
  }

  /** Confirmed ones first, revoked ones last, as the handles say. */
  async #byAddress(handle: string, limit: number): Promise<readonly StoredCertificate[]> {
    const found = await this.certificates.find(handle, limit);
    const places = new Map(found.map(({ fingerprint, place }) => [fingerprint, place]));
    const place = ({ fingerprint }: StoredCertificate): number => places.get(fingerprint) ?? 0;
    const certificates = await this.certificates.getMany([...places.keys()]);
    return certificates.toSorted((a, b) => place(a) - place(b) || byUsefulness(a, b));
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

  /**
   * Certificates with all of these words. Those of the word that the fewest have are looked at, of a word that more than can be
   * listed have the first ones: what is common to many is found by it alone or together with something that is not.
   */
  async #byWords(words: readonly string[], limit: number): Promise<readonly StoredCertificate[]> {
    const found = await Promise.all(
      words.map(async (word) => {
        const handle = handleOf.word(word);
        return { handle, matches: await this.certificates.find(handle, LIMITS.listed) };
      }),
    );
    const [rarest, ...others] = found.toSorted((a, b) => a.matches.length - b.matches.length);
    let matching = (rarest?.matches ?? []).map(({ fingerprint }) => fingerprint);
    for (const { handle } of others) {
      if (matching.length === 0) break;
      const also = await this.certificates.among(handle, matching);
      matching = matching.filter((fingerprint) => also.has(fingerprint));
    }
    return this.certificates.getMany(matching.slice(0, limit));
  }
}

const notFound = (): DomainError =>
  new DomainError('not_found', 'No matching keys found', { reason: 'key_not_found' });

/** The handle that a search asks for; words ask for several. */
function handleIn(search: Exclude<Search, { kind: 'words' }>): string;
function handleIn(search: Search): string | undefined;
function handleIn(search: Search): string | undefined {
  switch (search.kind) {
    case 'fingerprint':
      return handleOf.fingerprint(search.hex);
    case 'key_id':
      return handleOf.keyId(search.hex);
    case 'short_key_id':
      return handleOf.shortKeyId(search.hex);
    case 'email':
      return handleOf.email(search.address);
    case 'words':
      return undefined;
  }
}

/** Valid ones first, then the newest, then by fingerprint. */
function byUsefulness(a: StoredCertificate, b: StoredCertificate): number {
  return (
    Number(a.revoked) - Number(b.revoked) || b.created - a.created || (a.fingerprint < b.fingerprint ? -1 : 1)
  );
}
