import type { LibraryProblemKind } from '#libs/contract';
import type { Stored } from '#libs/documents';
import { EVERYBODY, type SearchKind, type TermDocument, termsOf } from '../search/documents.store.js';
import type { CollectionDocument, ContainerDocument, EntityDocument } from '../tree/documents.store.js';
import type { Look } from './look.js';
import type { CheckParts, Difference, Shown, Suspect, Walk, Walked } from './room.store.js';
import { byId } from './tables.store.js';

/** An entity, collection or container, by what leads to it. */
interface Place {
  readonly kind: SearchKind;
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly audience: string;
  /** Id of what it lies in. */
  readonly parent: string | undefined;
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
    const wanted = places.map((place) => ({ place, terms: termsOf({ ...place, target: place.id }) }));
    const terms = await byId(
      tables.terms,
      wanted.flatMap((one) => [...one.terms.keys()]),
    );
    const parents = await this.#parents(kind, places);
    const suspects = wanted
      .filter(
        ({ place, terms: own }) =>
          names.get(place.path)?.value.target !== place.id ||
          [...own].some(([id, term]) => !same(terms.get(id)?.value, term)) ||
          (place.parent !== undefined && !parents.has(place.parent)),
      )
      .map(({ place }) => this.#suspect(kind, place.id, place.path));
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
      const { items, cursor } = await tables.collections.scan('byEntity', options);
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
    look.saw(place?.path, place?.audience, place?.parent);
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
    const name = await tables.names.get(place.path);
    look.sawDocument(name);
    if (name === undefined) {
      differs('name_missing', undefined, [tables.names.write.insert(place.path, { target: id })]);
    } else if (name.value.target !== id) {
      const other = await this.#place(kind, name.value.target);
      look.saw(other?.path);
      // Two objects of one path: which of them is meant is not for us to say.
      const write = tables.names.write.replace(name.id, name.revision, { target: id });
      differs('name_wrong', name.value.target, other?.path === place.path ? undefined : [write]);
    }
    const wanted = termsOf({ ...place, target: id });
    const terms = await byId(tables.terms, wanted.keys());
    for (const [termId, term] of wanted) {
      const found = terms.get(termId);
      look.sawDocument(found);
      if (same(found?.value, term)) continue;
      if (found === undefined) differs('term_missing', term.term, [tables.terms.write.insert(termId, term)]);
      else differs('term_wrong', term.term, [tables.terms.write.replace(termId, found.revision, term)]);
    }
    return { differences };
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
      .filter(({ id, value }) => found.get(value.target)?.path !== id)
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
    if (place?.path === path || right !== undefined) return { differences: [] };
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
    const [collection] = (await collections.scan('byEntity', inEntity)).items;
    if (collection === undefined || third === undefined) return collection?.id;
    const inCollection = { equal: [entity.id, collection.id, third], limit: 1 };
    return (await containers.scan('byPlace', inCollection)).items[0]?.id;
  }

  /** Words that lead to nothing, or to what has no such word. */
  async #terms(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.terms.scan('byTerm', options);
    const found = await this.#paths(items.map(({ value }) => value.target));
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
    const { kind, target, term: what } = term.value;
    const place = (await this.#paths([target])).get(target);
    look.saw(place?.path);
    if (!isStray(term, place)) return { differences: [] };
    const mend = [tables.terms.write.delete(id, term.revision)];
    const problem = { kind: 'term_stray', name: place?.path ?? target, what } as const;
    return { differences: [{ problem, subject: kind, mend }] };
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

/** A word that is none of the object's. One that is its own and says something else is seen from the object. */
function isStray({ id, value }: Stored<TermDocument>, place: Place | undefined): boolean {
  if (place === undefined) return true;
  return place.kind !== value.kind || !termsOf({ ...place, target: place.id }).has(id);
}

function placed<D>(document: Stored<D> | undefined, make: (document: Stored<D>) => Place): Place | undefined {
  return document === undefined ? undefined : make(document);
}

function entityPlace({ id, value }: Stored<EntityDocument>): Place {
  const { name, defaultPrivate } = value;
  return {
    kind: 'entity',
    id,
    path: name,
    name,
    audience: defaultPrivate ? id : EVERYBODY,
    parent: undefined,
  };
}

function collectionPlace({ id, value }: Stored<CollectionDocument>): Place {
  const { entity, entityName, name } = value;
  const audience = value.private ? entity : EVERYBODY;
  return { kind: 'collection', id, path: `${entityName}/${name}`, name, audience, parent: entity };
}

function containerPlace({ id, value }: Stored<ContainerDocument>): Place {
  const { entity, entityName, collection, collectionName, name } = value;
  const audience = value.private ? entity : EVERYBODY;
  const path = `${entityName}/${collectionName}/${name}`;
  return { kind: 'container', id, path, name, audience, parent: collection };
}

function same(a: TermDocument | undefined, b: TermDocument): boolean {
  return a?.audience === b.audience && a.kind === b.kind && a.term === b.term && a.target === b.target;
}
