import type { LibraryProblemKind } from '#libs/contract';
import type { Stored, Write } from '#libs/documents';
import {
  collectionTerms,
  containerTerms,
  entityTerms,
  imageTerms,
  sameTerm,
  type SearchKind,
  type TermDocument,
  type Terms,
} from '../search/documents.store.js';
import { readTerm } from '../search/searchTerms.js';
import { audienceOf } from '../tree/audiences.js';
import type { CollectionDocument, ContainerDocument, EntityDocument } from '../tree/documents.store.js';
import type { Look } from './look.js';
import { containerPath } from './paths.js';
import type { CheckParts, Difference, Shown, Suspect, Walk, Walked } from './room.store.js';
import { byId } from './tables.store.js';

/** An entity, collection or container, by what leads to it. */
interface Place {
  readonly kind: SearchKind;
  readonly id: string;
  readonly path: string;
  readonly audience: string;
  /** What leads a search to it. */
  readonly terms: Terms;
  /** Id of what it lies in. */
  readonly parent: string | undefined;
  /** The path that it is about to get. */
  readonly next?: string | undefined;
  /** Paths that may still lead to it for a time. */
  readonly former: readonly string[];
  /** Whose list it is in. Entities are in none. */
  readonly listed: string | undefined;
  readonly revision: number;
}

/** What a term leads to. */
interface Target {
  readonly kind: SearchKind | 'image';
  readonly path: string;
  readonly terms: Terms;
}

const KINDS = ['entity', 'collection', 'container'] as const;

/** Entities, collections and containers with the paths and words by which they are found, both ways. */
export class ObjectsCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'entities', part: (from) => this.#objects('entity', from) },
      { name: 'collections', part: (from) => this.#objects('collection', from) },
      { name: 'containers', part: (from) => this.#objects('container', from) },
      { name: 'names', part: (from) => this.#names(from) },
      { name: 'terms', part: (from) => this.#terms(from) },
    ];
  }

  /** The next objects of a kind: what does not lead to them, in few reads. */
  async #objects(kind: SearchKind, from: string | undefined): Promise<Walked> {
    const { tables } = this.#parts;
    const { places, next } = await this.#scan(kind, from);
    const names = await byId(
      tables.names,
      places.map(({ path }) => path),
    );
    const terms = await byId(
      tables.terms,
      places.flatMap((place) => [...place.terms.keys()]),
    );
    const parents = await this.#parents(kind, places);
    const suspects = places
      .filter(
        (place) =>
          names.get(place.path)?.value.target !== place.id ||
          names.get(place.path)?.value.until !== undefined ||
          (place.kind !== 'entity' && place.listed !== place.audience) ||
          [...place.terms].some(([id, term]) => !sameTerm(terms.get(id)?.value, term)) ||
          (place.parent !== undefined && !parents.has(place.parent)),
      )
      .map((place) => this.#suspect(kind, place.id, place.path));
    return { objects: places.length, suspects, next };
  }

  async #scan(
    kind: SearchKind,
    from: string | undefined,
  ): Promise<{ places: Place[]; next: string | undefined }> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    if (kind === 'entity') {
      const { items, cursor } = await tables.entities.scan('byName', options);
      return { places: items.map(entityPlace), next: cursor };
    }
    if (kind === 'collection') {
      const { items, cursor } = await tables.collections.scan('byPlace', options);
      return { places: items.map(collectionPlace), next: cursor };
    }
    const { items, cursor } = await tables.containers.scan('byPlace', options);
    return { places: items.map(containerPlace), next: cursor };
  }

  async #parents(kind: SearchKind, places: readonly Place[]): Promise<ReadonlySet<string>> {
    const { entities, collections } = this.#parts.tables;
    const ids = places.flatMap(({ parent }) => (parent === undefined ? [] : [parent]));
    const found = kind === 'collection' ? await byId(entities, ids) : await byId(collections, ids);
    return new Set(found.keys());
  }

  #suspect(kind: SearchKind, id: string, name: string): Suspect {
    return { name, look: (look) => this.#look(kind, id, look) };
  }

  /** An object with everything that leads to it. */
  async #look(kind: SearchKind, id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const place = await this.#place(kind, id);
    look.saw(place?.path, place?.audience, place?.parent, place?.listed, seenTerms(place?.terms));
    if (place === undefined) return { differences: [] };
    const differences: Difference[] = [];
    const differs = (problem: LibraryProblemKind, what?: string, mend?: Difference['mend']): void => {
      differences.push({
        problem: { kind: problem, name: place.path, ...(what === undefined ? {} : { what }) },
        subject: kind,
        ...(mend === undefined ? {} : { mend }),
      });
    };
    if (place.parent !== undefined) {
      const parents = await this.#parents(kind, [place]);
      look.saw(parents.size);
      if (!parents.has(place.parent)) differs('parent_missing', place.parent);
    }
    const isOrphan = differences.length > 0;
    const name = await tables.names.get(place.path);
    look.sawDocument(name);
    if (name === undefined) {
      differs('name_missing', undefined, [tables.names.write.insert(place.path, { target: id })]);
    } else if (name.value.target !== id || name.value.until !== undefined) {
      const other = await this.#place(kind, name.value.target);
      look.saw(other?.path);
      // Two objects of one path: which of them is meant is not for us to say.
      const write = tables.names.write.replace(name.id, name.revision, { target: id });
      const isTwice = name.value.target !== id && other?.path === place.path;
      differs('name_wrong', name.value.target, isTwice ? undefined : [write]);
    }
    // Where it lies is a part of what should lead to it.
    const wanted = isOrphan ? new Map<string, TermDocument>() : place.terms;
    const terms = await byId(tables.terms, wanted.keys());
    for (const [termId, term] of wanted) {
      const found = terms.get(termId);
      look.sawDocument(found);
      if (sameTerm(found?.value, term)) continue;
      if (found === undefined) differs('term_missing', term.term, [tables.terms.write.insert(termId, term)]);
      else differs('term_wrong', term.term, [tables.terms.write.replace(termId, found.revision, term)]);
    }
    if (kind !== 'entity' && place.listed !== place.audience) differs('audience_wrong', place.listed, []);
    return { differences: await this.#heldFast(place, differences) };
  }

  /** An object that is removed or renamed at this moment makes the repair fail. What it says of its list is put right by the way. */
  async #heldFast(place: Place, differences: readonly Difference[]): Promise<readonly Difference[]> {
    const { entities, collections, containers } = this.#parts.tables;
    const { kind, id, revision, audience } = place;
    const first = differences.find(({ mend }) => mend !== undefined);
    if (first?.mend === undefined) return differences;
    const writes: Write[] = [...first.mend];
    if (kind === 'entity') {
      const found = await entities.get(id);
      if (found) writes.push(entities.write.replace(id, revision, found.value));
    } else if (kind === 'collection') {
      const found = await collections.get(id);
      if (found) writes.push(collections.write.replace(id, revision, { ...found.value, audience }));
    } else {
      const found = await containers.get(id);
      if (found) writes.push(containers.write.replace(id, revision, { ...found.value, audience }));
    }
    return differences.map((difference) => (difference === first ? { ...first, mend: writes } : difference));
  }

  async #place(kind: SearchKind, id: string): Promise<Place | undefined> {
    const { entities, collections, containers } = this.#parts.tables;
    if (kind === 'entity') return placed(await entities.get(id), entityPlace);
    if (kind === 'collection') return placed(await collections.get(id), collectionPlace);
    return placed(await containers.get(id), containerPlace);
  }

  /** Paths that lead to nothing, or to what has another path. */
  async #names(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.names.scan('byTarget', options);
    const found = await this.#paths(items.map(({ value }) => value.target));
    const suspects = items
      .filter(({ id, value }) => !leads(id, value.until, found.get(value.target)))
      .map(({ id }) => ({ name: id, look: (look: Look) => this.#lookAtName(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtName(path: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const name = await tables.names.get(path);
    look.sawDocument(name);
    if (name === undefined) return { differences: [] };
    const place = (await this.#paths([name.value.target])).get(name.value.target);
    look.saw(place?.path);
    const right = await this.#at(path);
    look.saw(right);
    // One that another object should have is seen from that.
    if (leads(path, name.value.until, place) || right !== undefined) return { differences: [] };
    const kind = KINDS[path.split('/').length - 1] ?? 'container';
    const mend = [tables.names.write.delete(path, name.revision)];
    const problem = { kind: 'name_stray', name: path, what: place?.path ?? name.value.target } as const;
    return { differences: [{ problem, subject: kind, mend }] };
  }

  /** The object whose path this is, found without the path. */
  async #at(path: string): Promise<string | undefined> {
    const { entities, collections, containers } = this.#parts.tables;
    const [first = '', second, third] = path.split('/');
    const [entity] = (await entities.scan('byName', { equal: [first], limit: 1 })).items;
    if (entity === undefined || second === undefined) return entity?.id;
    const inEntity = { equal: [entity.id, second], limit: 1 };
    const [collection] = (await collections.scan('byPlace', inEntity)).items;
    if (collection === undefined || third === undefined) return collection?.id;
    const inCollection = { equal: [entity.id, collection.id, third], limit: 1 };
    return (await containers.scan('byPlace', inCollection)).items[0]?.id;
  }

  /** Words that lead to nothing, or to what has no such word. */
  async #terms(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.terms.scan('byTerm', options);
    const found = await this.#targets(items.map(({ value }) => value.target));
    const suspects = items
      .filter((term) => isStray(term, found.get(term.value.target)))
      .map(({ id }) => ({ name: id, look: (look: Look) => this.#lookAtTerm(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtTerm(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const term = await tables.terms.get(id);
    look.sawDocument(term);
    if (term === undefined) return { differences: [] };
    const { target: to, term: what } = term.value;
    const target = (await this.#targets([to])).get(to);
    look.saw(target?.path, seenTerms(target?.terms));
    if (!isStray(term, target)) return { differences: [] };
    const mend = [tables.terms.write.delete(id, term.revision)];
    const problem = { kind: 'term_stray', name: target?.path ?? to, what: readTerm(what).word } as const;
    return { differences: [{ problem, subject: target?.kind ?? 'container', mend }] };
  }

  /** What terms lead to: objects and images, by their ids. */
  async #targets(ids: readonly string[]): Promise<ReadonlyMap<string, Target>> {
    const { images, containers } = this.#parts.tables;
    const found = await byId(images, ids);
    const places = await byId(
      containers,
      [...found.values()].map(({ value }) => value.container),
    );
    const targets = new Map<string, Target>(await this.#paths(ids));
    for (const image of found.values()) {
      const container = places.get(image.value.container);
      if (container === undefined) continue;
      const path = `${containerPath(container)}@${image.value.hash}`;
      targets.set(image.id, { kind: 'image', path, terms: imageTerms(image, container) });
    }
    return targets;
  }

  /** Objects by their ids, of whatever kind. */
  async #paths(ids: readonly string[]): Promise<ReadonlyMap<string, Place>> {
    const { entities, collections, containers } = this.#parts.tables;
    const places = [
      ...[...(await byId(entities, ids)).values()].map(entityPlace),
      ...[...(await byId(collections, ids)).values()].map(collectionPlace),
      ...[...(await byId(containers, ids)).values()].map(containerPlace),
    ];
    return new Map(places.map((place) => [place.id, place]));
  }
}

/** Whether a path is the object's, or one from before. */
function leads(path: string, until: number | undefined, place: Place | undefined): boolean {
  if (place === undefined) return false;
  if (place.path === path) return true;
  return until === undefined ? place.next === path : place.former.includes(path);
}

/** A word that is none of what it leads to. One that is its own and says something else is seen from that. */
function isStray({ id }: Stored<TermDocument>, target: Target | undefined): boolean {
  return target?.terms.has(id) !== true;
}

/** All that is said by what leads somewhere, as one text. */
export function seenTerms(terms: Terms | undefined): string {
  return JSON.stringify([...(terms ?? [])]);
}

function placed<D>(document: Stored<D> | undefined, make: (document: Stored<D>) => Place): Place | undefined {
  return document === undefined ? undefined : make(document);
}

function entityPlace(entity: Stored<EntityDocument>): Place {
  const { id, revision, value } = entity;
  const place = { kind: 'entity', id, revision, path: value.name, terms: entityTerms(entity) } as const;
  const audience = audienceOf(id, value.defaultPrivate);
  return { ...place, audience, listed: undefined, parent: undefined, former: [] };
}

function collectionPlace(collection: Stored<CollectionDocument>): Place {
  const { id, revision, value } = collection;
  const { entity, entityName, name, audience: listed, movingTo, formerNames = [] } = value;
  const beside = (one: string): string => `${entityName}/${one}`;
  const terms = collectionTerms(collection);
  const place = { kind: 'collection', id, revision, path: beside(name), terms } as const;
  const next = movingTo === undefined ? undefined : beside(movingTo);
  const former = formerNames.map((one) => beside(one.name));
  return { ...place, audience: audienceOf(entity, value.private), listed, parent: entity, next, former };
}

function containerPlace(container: Stored<ContainerDocument>): Place {
  const { id, revision, value } = container;
  const { entity, entityName, collection, collectionName, name, audience: listed } = value;
  const { formerNames = [], formerPaths = [] } = value;
  const beside = (one: string): string => `${entityName}/${collectionName}/${one}`;
  const former = [...formerNames.map(beside), ...formerPaths.map((path) => `${entityName}/${path}`)];
  const terms = containerTerms(container);
  const place = { kind: 'container', id, revision, path: beside(name), terms } as const;
  const audience = audienceOf(entity, value.private);
  return { ...place, audience, listed, parent: collection, former };
}
