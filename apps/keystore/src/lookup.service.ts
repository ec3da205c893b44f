import { Inject, Injectable } from '@nestjs/common';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, Metrics } from '#libs/server';
import type { Answer, Moment } from './answers.js';
import { CertificatesStore, type FoundHandle, type StoredCertificate } from './certificates.store.js';
import { handleOf } from './handles.js';
import { etagOf } from './conditional.js';
import { LIMITS } from './limits.js';
import { type PagePlace, PageTokens } from './page-tokens.js';
import { armorOf } from './present.js';
import type { Search } from './search.js';
import { isServed } from './served.js';

/** One page of a listing. */
export interface Page {
  readonly certificates: readonly StoredCertificate[];
  /** Leads to the next page; undefined on the last one. */
  readonly next: string | undefined;
}

/** Where to walk: along one handle, for what has all the others too. */
interface Way {
  readonly handle: string;
  readonly others: readonly string[];
  /** Only certificates that match as well as the first one: by a primary key, or by a subkey. */
  readonly bestOnly: boolean;
}

/** Finds certificates. Costs a look-up per handle, however many certificates there are. */
@Injectable()
export class LookupService {
  readonly #looked;

  constructor(
    private readonly certificates: CertificatesStore,
    private readonly tokens: PageTokens,
    @Inject(CLOCK) private readonly clock: Clock,
    metrics: Metrics,
  ) {
    this.#looked = metrics.counter({
      name: 'scs_keystore_lookups_total',
      help: 'Look-ups of keys: get = keys themselves, index = listings',
      labels: { op: ['get', 'index'], result: ['found', 'not_found'] },
    });
  }

  /**
   * The answer of `op=get` to the first reading of the search term that finds something.
   * @throws DomainError `not_found` when none does: never an empty success (keystore contract §0 rule 15)
   */
  get(searches: readonly Search[]): Promise<Answer> {
    return this.#counted('get', this.#get(searches));
  }

  async #get(searches: readonly Search[]): Promise<Answer> {
    const { answers } = this.certificates;
    for (const search of searches) {
      const handle = handleIn(search);
      const known = handle === undefined ? undefined : answers.get(handle);
      if (known !== undefined) return known;
      const { changes } = answers;
      const found = await this.#readable(search);
      if (found.length === 0) continue;
      const answer = answerOf(found);
      const lasting = found.length === 1 || found.every(({ expires }) => expires === undefined);
      if (handle !== undefined && lasting) answers.put(handle, answer, changes);
      return answer;
    }
    throw notFound();
  }

  /** The same certificates, not as an answer. @throws DomainError `not_found` */
  select(searches: readonly Search[]): Promise<readonly StoredCertificate[]> {
    return this.#counted('get', this.#select(searches));
  }

  async #select(searches: readonly Search[]): Promise<readonly StoredCertificate[]> {
    for (const search of searches) {
      const found = await this.#readable(search);
      if (found.length > 0) return found;
    }
    throw notFound();
  }

  /**
   * The certificates that a key, or some texts, lead to, of any version, the most useful first. Not what stock clients may get.
   * @throws DomainError `not_found`
   */
  find(wanted: Search | readonly string[]): Promise<readonly StoredCertificate[]> {
    return this.#counted('get', this.#find(wanted));
  }

  async #find(wanted: Search | readonly string[]): Promise<readonly StoredCertificate[]> {
    const found = 'kind' in wanted ? await this.#best(wanted) : await this.#byTexts(wanted);
    if (found.length === 0) throw notFound();
    return found;
  }

  /**
   * A page of the certificates that `op=index` lists.
   * @param token of the page before it, good for the same searches only
   * @throws DomainError `not_found`, as above; `bad_request` for a token of something else
   */
  list(searches: readonly Search[], size: number, token?: string): Promise<Page> {
    return this.#counted('index', this.#list(searches, size, token));
  }

  async #list(searches: readonly Search[], size: number, token?: string): Promise<Page> {
    const query = JSON.stringify(searches);
    const from = token === undefined ? undefined : this.tokens.read(query, token);
    for (const [reading, search] of searches.entries()) {
      if (from !== undefined && from.reading !== reading) continue;
      const { walked, way } = await this.#wayOf(search, from);
      const { certificates, end } = await this.#walk(way, size, from);
      if (certificates.length === 0) continue;
      const place = end && { reading, walked, place: end.place, fingerprint: end.fingerprint };
      return { certificates, next: place && this.tokens.write(query, place) };
    }
    throw notFound();
  }

  async #counted<T>(op: 'get' | 'index', work: Promise<T>): Promise<T> {
    try {
      const found = await work;
      this.#looked({ op, result: 'found' });
      return found;
    } catch (error) {
      // What else goes wrong says nothing about the key.
      if (error instanceof DomainError && error.code === 'not_found')
        this.#looked({ op, result: 'not_found' });
      throw error;
    }
  }

  async #readable(search: Search): Promise<readonly StoredCertificate[]> {
    return readableTogether(await this.#best(search));
  }

  async #best(search: Search): Promise<readonly StoredCertificate[]> {
    const whole = search.kind === 'fingerprint';
    if (whole) {
      // The one case that seldom needs the handles: clients verify with full fingerprints.
      const direct = await this.certificates.get(search.hex);
      if (direct !== undefined) return isServed(direct.value) ? [direct.value] : [];
    }
    const { way } = await this.#wayOf(search);
    const { certificates } = await this.#walk(way, LIMITS.compared);
    return this.#mostUseful(certificates, way.bestOnly).slice(0, whole ? 1 : LIMITS.certificates);
  }

  async #byTexts(handles: readonly string[]): Promise<readonly StoredCertificate[]> {
    const ways = handles.map((handle) => ({ handle, others: [], bestOnly: false }));
    const found = await Promise.all(ways.map((way) => this.#walk(way, LIMITS.compared)));
    const all = found.flatMap(({ certificates }) => certificates);
    return this.#mostUseful(all, false).slice(0, LIMITS.certificates);
  }

  /** Valid ones first, keys then the newest; texts are in the order of their places already. */
  #mostUseful(certificates: readonly StoredCertificate[], newest: boolean): StoredCertificate[] {
    const now = this.clock.now().getTime() / 1000;
    return certificates.toSorted(
      (a, b) => Number(isOver(a, now)) - Number(isOver(b, now)) || (newest ? b.created - a.created : 0),
    );
  }

  /**
   * Along which handle to walk. Of several words it is the one that the fewest certificates have, as far as that is counted; of a
   * further page the same as before.
   */
  async #wayOf(search: Search, from?: PagePlace): Promise<{ walked: number; way: Way }> {
    if (search.kind !== 'words') {
      const bestOnly = search.kind !== 'email' && search.kind !== 'user_id';
      return { walked: 0, way: { handle: handleIn(search) ?? '', others: [], bestOnly } };
    }
    const handles = search.words.map(handleOf.word);
    const walked = from?.walked ?? (await this.#rarest(handles));
    const others = handles.filter((_, index) => index !== walked);
    return { walked, way: { handle: handles[walked] ?? '', others, bestOnly: false } };
  }

  async #rarest(handles: readonly string[]): Promise<number> {
    if (handles.length === 1) return 0;
    for (const limit of [LIMITS.counted, LIMITS.listed]) {
      const found = await Promise.all(handles.map((handle) => this.certificates.find(handle, limit)));
      const counts = found.map(({ length }) => length);
      const fewest = Math.min(...counts);
      if (fewest < limit) return counts.indexOf(fewest);
      // All words of a certificate have one place. Where many have each word, the rarest is the one whose last is the furthest.
      const furthest = found
        .map((list) => list.at(-1))
        .toSorted(byPlace)
        .at(-1);
      if (limit === LIMITS.listed) return found.findIndex((list) => list.at(-1) === furthest);
    }
    return 0;
  }

  /**
   * Certificates along a way, at most so many.
   * @returns also with what the page ended, when there may be more
   * @throws DomainError `not_found` when so much was looked at in vain that it is given up
   */
  async #walk(
    { handle, others, bestOnly }: Way,
    size: number,
    from?: PagePlace,
  ): Promise<{ certificates: StoredCertificate[]; end?: FoundHandle }> {
    const step = others.length === 0 ? Math.min(size + 1, LIMITS.listedMost + 1) : LIMITS.walkedAtOnce;
    const certificates: StoredCertificate[] = [];
    let end: FoundHandle | undefined;
    let after: FoundHandle | undefined = from;
    for (let looked = 0; looked < LIMITS.walked; looked += step) {
      const found = await this.certificates.find(handle, step, after);
      const place = (from ?? found[0])?.place;
      const near = bestOnly ? found.filter((one) => one.place === place) : found;
      const fitting = await this.#fitting(near, others);
      for (const { at, certificate } of fitting) {
        if (certificates.length === size && end !== undefined) return { certificates, end };
        certificates.push(certificate);
        end = at;
      }
      if (near.length < step) return { certificates };
      after = found.at(-1);
    }
    if (certificates.length > 0 && after !== undefined) return { certificates, end: after };
    throw new DomainError('not_found', 'No matching keys found among the first: add another word', {
      reason: 'key_not_found',
    });
  }

  /** Those of some places that have all the other handles too, and may be served. */
  async #fitting(
    places: readonly FoundHandle[],
    others: readonly string[],
  ): Promise<{ at: FoundHandle; certificate: StoredCertificate }[]> {
    let matching = places;
    for (const other of others) {
      if (matching.length === 0) break;
      const also = await this.certificates.among(
        other,
        matching.map(({ fingerprint }) => fingerprint),
      );
      matching = matching.filter(({ fingerprint }) => also.has(fingerprint));
    }
    const read = await this.certificates.getMany(matching.map(({ fingerprint }) => fingerprint));
    const certificates = new Map(read.map((certificate) => [certificate.fingerprint, certificate]));
    return matching.flatMap((at) => {
      const certificate = certificates.get(at.fingerprint);
      return certificate !== undefined && isServed(certificate) ? [{ at, certificate }] : [];
    });
  }
}

/** What stock clients can read beside each other, and not too much of it; one alone is always served. */
function readableTogether(certificates: readonly StoredCertificate[]): readonly StoredCertificate[] {
  if (certificates.length < 2) return certificates;
  let bytes = 0;
  const fitting = certificates.filter(
    ({ alone, armor }) => alone !== true && (bytes += armor.length) <= LIMITS.answeredBytes,
  );
  return fitting.length === 0 ? certificates.slice(0, 1) : fitting;
}

function answerOf(certificates: readonly StoredCertificate[]): Answer {
  const body = armorOf(certificates);
  return {
    body,
    etag: etagOf(body),
    modified: modifiedOf(certificates),
    name: certificates.length === 1 ? `0x${certificates[0]?.fingerprint.toUpperCase()}` : 'keys',
  };
}

/** When the newest change of some certificates was made. */
export function modifiedOf(certificates: readonly StoredCertificate[]): Moment {
  const milliseconds = Math.max(...certificates.map(({ updatedAt }) => Date.parse(updatedAt) || 0));
  return { milliseconds, text: new Date(milliseconds).toUTCString() };
}

const notFound = (): DomainError =>
  new DomainError('not_found', 'No matching keys found', { reason: 'key_not_found' });

/** The order in which one handle finds certificates. */
function byPlace(a: FoundHandle | undefined, b: FoundHandle | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a.place - b.place || (a.fingerprint < b.fingerprint ? -1 : 1);
}

/** The handle that a search asks for; words ask for several. */
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
    case 'user_id':
      return handleOf.userId(search.text);
    case 'words':
      return undefined;
  }
}

/** @param now Unix seconds */
const isOver = ({ revoked, expires }: StoredCertificate, now: number): boolean =>
  revoked || (expires !== undefined && expires <= now);
