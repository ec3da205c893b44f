import { Injectable } from '@nestjs/common';
import type { FoundImage } from '../images/images.service.js';
import { type Image, ImagesStore } from '../images/images.store.js';
import { LIMITS } from '../limits.js';
import { NOTHING } from '../missing.js';
import { mayRead, placeOf } from '../policy.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { containerSubject } from '../tree/subjects.js';
import { imageTexts, objectTexts } from './documents.store.js';
import { drivingWords, isFirstWay, sourcesOf } from './drivers.js';
import { walkObjects } from './objectSearch.js';
import { nextOf, OVER, type Part, type Search } from './search.js';
import type { KindState, SearchState } from './searchCursors.js';
import type { SearchQuery } from './searchQuery.js';
import { backwards, hasSigner, type Mark, matches, Said } from './searchTerms.js';
import { TermsStore } from './terms.store.js';
import { type Candidate, candidates, gather, type Source } from './walk.js';

export interface FoundImages {
  readonly found: readonly FoundImage[];
  readonly next: Pick<SearchState, 'inContainers' | 'image'>;
  /** There are more than are told, on no page. */
  readonly more: boolean;
  readonly cut: boolean;
}

/**
 * Images: those of containers that a search finds, newest first; then those that have one of its words in their labels, or that a key
 * has signed.
 */
@Injectable()
export class ImageSearchService {
  constructor(
    private readonly terms: TermsStore,
    private readonly containers: ContainersStore,
    private readonly images: ImagesStore,
  ) {}

  async search(search: Search, state: Pick<SearchState, 'inContainers' | 'image'>): Promise<FoundImages> {
    const { query } = search;
    const signer = query.signer === undefined ? undefined : backwards(query.signer);
    const isFirst = query.cursor === undefined;
    const isBySigner =
      signer !== undefined &&
      (isFirst ? await this.#isRare(signer, search) : state.image?.words[0] === signer);
    const found = new Map<string, FoundImage>();
    if (isFirst) for (const one of await this.#byHash(search)) found.set(one.image.id, one);
    if (isBySigner) {
      const { next, cut } = await this.#byThemselves(search, state.image, found, [
        { kind: 'signer', word: signer },
      ]);
      return { found: [...found.values()], next: { inContainers: null, image: next }, more: false, cut };
    }
    const inside = await this.#inContainers(search, state.inContainers, found);
    // Those of containers come first, on however many pages.
    const own =
      inside.next === null
        ? await this.#byThemselves(search, state.image, found)
        : { next: state.image, cut: false };
    return {
      found: [...found.values()],
      next: { inContainers: inside.next, image: own.next },
      more: inside.more,
      cut: inside.cut || own.cut,
    };
  }

  /** Whether it is quicker to look at everything that a key has signed. */
  async #isRare(signer: string, { query, scopes }: Search): Promise<boolean> {
    if (query.text.keys.length === 0) return true;
    const most = LIMITS.searchCandidates;
    return (await this.terms.count(['signer'], signer, scopes, most)) < most;
  }

  /** Nobody learns here what others have: as many containers are asked for as there may be, in one question. */
  async #byHash(search: Search): Promise<readonly FoundImage[]> {
    const { hash } = search.query.text;
    if (hash === undefined) return [];
    const images = await this.images.withHash(hash, LIMITS.sameContent);
    const asked = Array.from(
      { length: LIMITS.sameContent },
      (_, index) => images[index]?.value.container ?? String(index).padStart(NOTHING.length, '0'),
    );
    const containers = new Map((await this.containers.getMany(asked)).map((one) => [one.id, one]));
    const entity = search.scopes[0]?.entity;
    return images.flatMap((image) => {
      const container = containers.get(image.value.container);
      if (container === undefined || !isVisible(container, search) || !isWanted(image, search)) return [];
      return entity === undefined || container.value.entity === entity ? [{ image, container }] : [];
    });
  }

  async #inContainers(
    search: Search,
    state: KindState,
    found: Map<string, FoundImage>,
  ): Promise<{ readonly next: KindState; readonly cut: boolean; readonly more: boolean }> {
    if (state === null) return { next: null, cut: false, more: false };
    let [looked, more] = [0, false];
    const { words, gathered } = await walkObjects<Container, readonly FoundImage[]>(
      this.terms,
      {
        kind: 'container',
        getMany: (ids) => this.containers.getMany(ids),
        subject: containerSubject,
      },
      search,
      state,
      {
        take: async (container) => {
          const images = await this.images.ofContainer(container.id, LIMITS.searchImagesPerContainer);
          looked += images.length;
          more ||= images.length >= LIMITS.searchImagesPerContainer;
          const wanted = images.filter((image) => isWanted(image, search));
          return wanted.length === 0 ? undefined : wanted.map((image) => ({ image, container }));
        },
        add: (images) => {
          for (const one of images) found.set(one.image.id, one);
        },
        // Those of one container are in one answer.
        isFull: () => found.size > LIMITS.searchImages - LIMITS.searchImagesPerContainer,
        isOver: () => looked >= LIMITS.searchImagesLooked,
      },
    );
    return { next: nextOf(gathered, words), cut: gathered.cut, more };
  }

  /** @param by undefined: words of their labels */
  async #byThemselves(
    search: Search,
    state: KindState,
    found: Map<string, FoundImage>,
    by?: readonly Source[],
  ): Promise<Omit<Part<never>, 'found'>> {
    if (state === null) return OVER;
    const { scopes, query } = search;
    const words =
      by?.map(({ word }) => word) ??
      (state.place ? state.words : await drivingWords(this.terms, 'image', query.text.keys, scopes));
    const sources = by ?? sourcesOf('image', words);
    let images = new Map<string, Image>();
    let containers = new Map<string, Container>();
    const gathered = await gather<FoundImage>(
      candidates(this.terms, sources, scopes, state.place, (mark) => isOther(mark, query)),
      state.place,
      {
        load: async (batch) => {
          const ids = [...new Set(batch.map(({ target }) => target))];
          images = new Map((await this.images.getMany(ids)).map((one) => [one.id, one]));
          const places = [...new Set([...images.values()].map(({ value }) => value.container))];
          containers = new Map((await this.containers.getMany(places)).map((one) => [one.id, one]));
        },
        take: (candidate) => {
          const image = images.get(candidate.target);
          const container = image && containers.get(image.value.container);
          if (image === undefined || container === undefined) return undefined;
          const isFound = isHit({ image, container }, search, {
            candidate,
            sources,
            isBySigner: by !== undefined,
          });
          return isFound ? { image, container } : undefined;
        },
        add: (one) => found.set(one.image.id, one),
        isFull: () => found.size >= LIMITS.searchImages,
      },
    );
    return { next: nextOf(gathered, words), cut: gathered.cut };
  }
}

/** Whether the container may be known, and is one of those that are asked for. */
function isVisible(container: Container, { query, actor }: Search): boolean {
  if (query.private !== undefined && container.value.private !== query.private) return false;
  return mayRead(actor, containerSubject(container)).allowed;
}

/** Whether what is marked so is none of those that are asked for. The stored image decides about all others. */
function isOther({ arch, signed }: Mark, query: SearchQuery): boolean {
  if (query.signed !== undefined && signed !== query.signed) return true;
  return query.arch !== undefined && !query.arch.includes(arch);
}

/** Whether an image is one of those that are asked for. */
function isWanted({ value }: Image, { query }: Search): boolean {
  if (!value.uploaded) return false;
  if (query.signed !== undefined && value.signed !== query.signed) return false;
  if (query.signer !== undefined && !hasSigner(value.signers ?? [], query.signer)) return false;
  return query.arch === undefined || (value.arch !== undefined && query.arch.includes(value.arch));
}

function isHit(
  { image, container }: FoundImage,
  search: Search,
  how: {
    readonly candidate: Candidate;
    readonly sources: readonly Source[];
    readonly isBySigner: boolean;
  },
): boolean {
  if (!isVisible(container, search) || !isWanted(image, search)) return false;
  const { words, keys } = search.query.text;
  const own = new Said(imageTexts(image.value), LIMITS.searchImageWords);
  const around = new Said(objectTexts(container.value), LIMITS.searchWords);
  const path = placeOf(containerSubject(container));
  if (!matches(words, path, [own, around])) return false;
  // One key has signed an image once, whatever it is called by.
  if (how.isBySigner) return true;
  if (!isFirstWay(how.candidate, how.sources, { name: '', said: own })) return false;
  // What its container is found by has led to it before.
  const inItself = keys.some((key) => container.value.name.includes(key) || around.has(key));
  return !(inItself && matches(words, path, [around]));
}
