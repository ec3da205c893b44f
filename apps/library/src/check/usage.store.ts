import { DomainError } from '#libs/core';
import { type Container, type Entity } from '../tree/documents.store.js';
import { holdingId } from '../storage/documents.store.js';
import type { Image } from '../images/documents.store.js';
import { Look } from './look.js';
import { containerPath } from './paths.js';
import type { CheckParts, Difference, Shown, Suspect, Walk, Walked } from './room.store.js';
import { all, byId } from './tables.store.js';

/** Images of one page of a container. */
const PAGE = 500;

/** Where the adding up is: in which container, and what was added up so far. */
interface Place {
  /** Behind the containers that are done. */
  readonly cursor: string | null;
  /** The container that is being added up, and where in it. */
  readonly container: { readonly id: string; readonly cursor: string; readonly size: number } | null;
  readonly collection: Sum | null;
  readonly entity: Sum | null;
}
interface Sum {
  readonly id: string;
  readonly size: number;
}
const BEGIN: Place = { cursor: null, container: null, collection: null, entity: null };

/**
 * What is counted, against what it counts: bytes and tags of containers, bytes of collections and entities, and what entities hold
 * for uploads under way. Containers come in the order of their places, and what was added up so far is part of the cursor, so that
 * no request is longer than others, however many images there are.
 */
export class UsageCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'usage', part: (from) => this.#usage(from) },
      { name: 'collectionUsage', part: (from) => this.#emptyCollections(from) },
      { name: 'entityUsage', part: (from) => this.#entities(from) },
    ];
  }

  async #usage(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const suspects: Suspect[] = [];
    let place = from === undefined ? BEGIN : readPlace(from);
    let looked = 0;
    while (looked < limits.checkedImages) {
      const { items, cursor } = await tables.containers.scan('byPlace', {
        limit: 1,
        ...(place.cursor === null ? {} : { cursor: place.cursor }),
      });
      const [container] = items;
      suspects.push(...(await this.#closed(place, container)));
      if (container === undefined) return { suspects, next: undefined };
      const { collection, entity } = sumsFor(place, container);
      const begun = place.container?.id === container.id ? place.container : undefined;
      const page = await tables.images.scan('byContainer', {
        equal: [container.id],
        limit: PAGE,
        ...(begun === undefined ? {} : { cursor: begun.cursor }),
      });
      looked += page.items.length + 1;
      const own = page.items.reduce((sum, { value }) => sum + sizeOf(value), 0);
      const size = (begun?.size ?? 0) + own;
      const sums = {
        collection: { ...collection, size: collection.size + own },
        entity: { ...entity, size: entity.size + (await this.#firsts(container.value.entity, page.items)) },
      };
      if (page.cursor !== undefined) {
        place = { cursor: place.cursor, container: { id: container.id, cursor: page.cursor, size }, ...sums };
        continue;
      }
      const { value } = container;
      const isRight =
        size === value.size &&
        (await this.#tagsOf(container.id)) === value.tags &&
        (await this.#starsOf(container.id)) === value.stars;
      if (!isRight) suspects.push(this.#container(container.id, containerPath(container)));
      if (cursor === undefined) {
        suspects.push(...(await this.#closed({ ...place, ...sums }, undefined)));
        return { suspects, next: undefined };
      }
      place = { cursor, container: null, ...sums };
    }
    return { suspects, next: writePlace(place) };
  }

  /** What was added up to its end, because the next container lies elsewhere, and is not what is written down. */
  async #closed({ collection, entity }: Place, next: Container | undefined): Promise<Suspect[]> {
    const { tables } = this.#parts;
    const suspects: Suspect[] = [];
    if (collection !== null && collection.id !== next?.value.collection) {
      const found = await tables.collections.get(collection.id);
      if (found !== undefined && found.value.size !== collection.size)
        suspects.push(this.#collection(found.id, `${found.value.entityName}/${found.value.name}`));
    }
    if (entity !== null && entity.id !== next?.value.entity) {
      const found = await tables.entities.get(entity.id);
      if (found !== undefined && found.value.size !== entity.size)
        suspects.push(this.#entity(found.id, found.value.name));
    }
    return suspects;
  }

  /** Bytes of those images whose content the entity has in no earlier one. */
  async #firsts(entity: string, images: readonly Image[]): Promise<number> {
    const { tables } = this.#parts;
    const uploaded = images.filter(({ value }) => value.uploaded);
    const holdings = await byId(
      tables.holdings,
      uploaded.map(({ value }) => holdingId(entity, value.hash)),
    );
    let bytes = 0;
    for (const { id, value } of uploaded) {
      const isOnly = holdings.get(holdingId(entity, value.hash))?.value.images === 1;
      if (isOnly || (await this.#firstOf(entity, value.hash)) === id) bytes += value.size;
    }
    return bytes;
  }

  /** The image that stands for a content in an entity: the one with the first id. */
  async #firstOf(entity: string, hash: string): Promise<string | undefined> {
    const { tables } = this.#parts;
    const images: Image[] = [];
    for await (const image of all(tables.images, 'byHash', [hash]))
      if (image.value.uploaded) images.push(image);
    const containers = await byId(
      tables.containers,
      images.map(({ value }) => value.container),
    );
    return images.find(({ value }) => containers.get(value.container)?.value.entity === entity)?.id;
  }

  async #tagsOf(container: string, look = new Look()): Promise<number> {
    let count = 0;
    for await (const tag of all(this.#parts.tables.tags, 'byContainer', [container])) {
      look.sawDocument(tag);
      count += 1;
    }
    return count;
  }

  async #starsOf(container: string, look = new Look()): Promise<number> {
    let count = 0;
    for await (const star of all(this.#parts.tables.stars, 'byContainer', [container])) {
      look.sawDocument(star);
      count += 1;
    }
    return count;
  }

  #container(id: string, name: string): Suspect {
    return { name, look: (look) => this.#lookAtContainer(id, name, look) };
  }

  async #lookAtContainer(id: string, name: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const container = await tables.containers.get(id);
    // Downloads are counted there, too: what changes with images and tags is seen from them.
    look.saw(container?.value.size, container?.value.tags, container?.value.stars);
    let size = 0;
    for await (const image of all(tables.images, 'byContainer', [id])) {
      look.sawDocument(image);
      size += sizeOf(image.value);
    }
    const tags = await this.#tagsOf(id, look);
    const stars = await this.#starsOf(id, look);
    if (container === undefined) return { differences: [] };
    const { revision, value } = container;
    const mend = [tables.containers.write.replace(id, revision, { ...value, size, tags, stars })];
    return {
      differences: numbers('container', name, mend, [
        ['container_size', value.size, size],
        ['container_tags', value.tags, tags],
        ['container_stars', value.stars, stars],
      ]),
    };
  }

  async #emptyCollections(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.collections.scan('byPlace', options);
    const suspects: Suspect[] = [];
    for (const { id, value } of items) {
      // Those with containers were added up with them.
      if (value.size === 0) continue;
      const { items: own } = await tables.containers.scan('byParent', { equal: [id], limit: 1 });
      if (own.length === 0) suspects.push(this.#collection(id, `${value.entityName}/${value.name}`));
    }
    return { suspects, next: cursor };
  }

  #collection(id: string, name: string): Suspect {
    return { name, look: (look) => this.#lookAtCollection(id, name, look) };
  }

  async #lookAtCollection(id: string, name: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const collection = await tables.collections.get(id);
    look.sawDocument(collection);
    let size = 0;
    for await (const container of all(tables.containers, 'byParent', [id])) {
      look.saw(container.id);
      for await (const image of all(tables.images, 'byContainer', [container.id])) {
        look.sawDocument(image);
        size += sizeOf(image.value);
      }
    }
    if (collection === undefined) return { differences: [] };
    const { revision, value } = collection;
    const mend = [tables.collections.write.replace(id, revision, { ...value, size })];
    return { differences: numbers('collection', name, mend, [['collection_size', value.size, size]]) };
  }

  /** What uploads have reserved; and entities without a container. */
  async #entities(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.entities.scan('byName', options);
    const reserved = await this.#reserved();
    const suspects: Suspect[] = [];
    for (const { id, value } of items) {
      const isWrong = value.held - value.size !== (reserved.get(id) ?? 0);
      const { items: own } = await tables.containers.scan('byPlace', { equal: [id], limit: 1 });
      if (isWrong || (own.length === 0 && value.size !== 0))
        suspects.push(onlyHeld(this.#entity(id, value.name), own.length > 0));
    }
    return { suspects, next: cursor };
  }

  #entity(id: string, name: string): Suspect {
    return { name, look: (look) => this.#lookAtEntity(id, look) };
  }

  async #lookAtEntity(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const entity: Entity | undefined = await tables.entities.get(id);
    look.sawDocument(entity);
    const seen = new Set<string>();
    let size = 0;
    for await (const container of all(tables.containers, 'byPlace', [id])) {
      look.saw(container.id);
      for await (const image of all(tables.images, 'byContainer', [container.id])) {
        look.sawDocument(image);
        if (!image.value.uploaded || seen.has(image.value.hash)) continue;
        seen.add(image.value.hash);
        size += image.value.size;
      }
    }
    const held = size + ((await this.#reserved(look)).get(id) ?? 0);
    if (entity === undefined) return { differences: [] };
    const { revision, value } = entity;
    const mend = [tables.entities.write.replace(id, revision, { ...value, size, held })];
    return {
      differences: numbers('entity', value.name, mend, [
        ['entity_size', value.size, size],
        ['entity_held', value.held, held],
      ]),
    };
  }

  /** Bytes that uploads under way have reserved, by entity. */
  async #reserved(look = new Look()): Promise<Map<string, number>> {
    const reserved = new Map<string, number>();
    for (const upload of await this.#parts.tables.claimingUploads()) {
      look.sawDocument(upload);
      const { entity, reserved: bytes } = upload.value;
      reserved.set(entity, (reserved.get(entity) ?? 0) + bytes);
    }
    return reserved;
  }
}

function sizeOf({ uploaded, size }: Image['value']): number {
  return uploaded ? size : 0;
}

/** The sums that a container belongs to. */
function sumsFor({ collection, entity }: Place, { value }: Container): { collection: Sum; entity: Sum } {
  return {
    collection: collection?.id === value.collection ? collection : { id: value.collection, size: 0 },
    entity: entity?.id === value.entity ? entity : { id: value.entity, size: 0 },
  };
}

/** The numbers that differ. All of them are mended by the same writes, once. */
function numbers(
  subject: 'entity' | 'collection' | 'container',
  name: string,
  mend: NonNullable<Difference['mend']>,
  pairs: readonly (readonly [Difference['problem']['kind'], number, number])[],
): Difference[] {
  return pairs
    .filter(([, recorded, counted]) => recorded !== counted)
    .map(([kind, recorded, counted], index) => ({
      problem: { kind, name, recorded, counted },
      subject,
      mend: index === 0 ? mend : [],
    }));
}

/** Where the size itself is seen by adding up containers, it is not said again. */
function onlyHeld({ name, look }: Suspect, isCounted: boolean): Suspect {
  if (!isCounted) return { name, look };
  return {
    name,
    look: async (seen) => {
      const { differences } = await look(seen);
      const isSizeWrong = differences.some(({ problem }) => problem.kind === 'entity_size');
      return { differences: isSizeWrong ? [] : differences };
    },
  };
}

const writePlace = (place: Place): string => JSON.stringify(place);

/** It has been in the hands of a client: what is added up wrongly by it is added up again before anything is said. */
function readPlace(text: string): Place {
  try {
    const place = JSON.parse(text) as Place;
    const sums = [place.collection, place.entity, place.container];
    const isPlace = sums.every(
      (sum) => sum === null || (typeof sum.id === 'string' && Number.isSafeInteger(sum.size)),
    );
    if (isPlace && (place.cursor === null || typeof place.cursor === 'string')) return place;
  } catch {
    // Said below, as for everything that is none.
  }
  throw new DomainError('bad_request', 'Expected a cursor that a check has given', { reason: 'bad_cursor' });
}
