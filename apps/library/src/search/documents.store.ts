import { z } from 'zod';
import type { CollectionSpec } from '#libs/documents';
import type { Image, ImageDocument } from '../images/documents.store.js';
import { LIMITS } from '../limits.js';
import { audienceOf } from '../tree/audiences.js';
import type { Collection, Container, Entity } from '../tree/documents.store.js';
import { markedTerm, readTerm, searchTerms, signerTerms, wordsOf } from './searchTerms.js';

export type SearchKind = 'entity' | 'collection' | 'container';
/**
 * What a term is of: an ending of the name of an object; a word of its texts; of a signer the fingerprint backwards; and, of
 * collections and containers, the name of the entity that they lie in, which may be hidden itself. Those of images are marked.
 */
export type TermKind = SearchKind | `${SearchKind | 'image'}Text` | 'place' | 'signer';

const TermDocument = z.object({
  audience: z.string(),
  kind: z.enum([
    'entity',
    'collection',
    'container',
    'entityText',
    'collectionText',
    'containerText',
    'imageText',
    'place',
    'signer',
  ]),
  term: z.string(),
  target: z.string(),
  /** Id of the entity that the target is, or lies in. */
  entity: z.string().optional(),
});
export type TermDocument = z.infer<typeof TermDocument>;

export type TermIndex = 'byAudience' | 'byTerm' | 'byEntity';
export const TERMS = {
  name: 'terms',
  schema: TermDocument,
  indexes: {
    byAudience: { fields: ['audience', 'kind', 'term'] },
    byTerm: { fields: ['kind', 'term'] },
    byEntity: { fields: ['entity', 'audience', 'kind', 'term'] },
  },
} as const satisfies CollectionSpec<TermDocument>;

/** What leads to something: documents by their ids. */
export type Terms = ReadonlyMap<string, TermDocument>;

/** What leads a search to an entity; the next ones: to a collection, a container, an image. */
export function entityTerms({ id, value }: Pick<Entity, 'id' | 'value'>): Terms {
  const terms = new Map<string, TermDocument>();
  const shared = { audience: audienceOf(id, value.defaultPrivate), target: id, entity: id };
  addName(terms, shared, 'entity', value.name);
  addTexts(terms, shared, 'entityText', objectTexts(value));
  return terms;
}

export function collectionTerms({ id, value }: Pick<Collection, 'id' | 'value'>): Terms {
  const terms = new Map<string, TermDocument>();
  const shared = { ...placeOf(value), target: id };
  addName(terms, shared, 'collection', value.name);
  addTexts(terms, shared, 'collectionText', objectTexts(value));
  addPlace(terms, shared, value.entityName);
  return terms;
}

export function containerTerms({ id, value }: Pick<Container, 'id' | 'value'>): Terms {
  const terms = new Map<string, TermDocument>();
  const shared = { ...placeOf(value), target: id };
  addName(terms, shared, 'container', value.name);
  addTexts(terms, shared, 'containerText', objectTexts(value));
  addPlace(terms, shared, value.entityName);
  return terms;
}

/** Beside its container: the words of its labels, and who has signed it. */
export function imageTerms(
  { id, value }: Pick<Image, 'id' | 'value'>,
  container: Pick<Container, 'value'>,
): Terms {
  const terms = new Map<string, TermDocument>();
  if (!value.uploaded) return terms;
  const shared = { ...placeOf(container.value), target: id };
  // Neither changes once it has its content.
  const mark = { arch: value.arch ?? '', signed: value.signed };
  const texts = wordsOf(imageTexts(value), LIMITS.searchImageWords);
  for (const [slot, word] of texts.entries())
    terms.set(`${id}/w${slot}`, { ...shared, kind: 'imageText', term: markedTerm(word, mark) });
  for (const [slot, word] of signerTerms(value.signers ?? []).entries())
    terms.set(`${id}/s${slot}`, { ...shared, kind: 'signer', term: markedTerm(word, mark) });
  return terms;
}

/** Whether a document that leads somewhere is what it should be. */
export function sameTerm(a: TermDocument | undefined, b: TermDocument): boolean {
  return (
    a?.audience === b.audience &&
    a.kind === b.kind &&
    a.term === b.term &&
    a.target === b.target &&
    a.entity === b.entity
  );
}

/** Whether a term of an image leads where it should, and lacks only its mark, as an older version wrote it. */
export function isUnmarked(found: TermDocument, wanted: TermDocument): boolean {
  const { word, mark } = readTerm(wanted.term);
  return mark !== undefined && sameTerm(found, { ...wanted, term: word });
}

/** Every image that one of the stock programs made has these: they say nothing about it. */
const EVERYWHERE = 'org.label-schema.';

/** What an image says of itself, what is said most particularly first. */
export function imageTexts({
  description,
  labels = [],
}: Pick<ImageDocument, 'description' | 'labels'>): string[] {
  const own = labels.filter(({ name }) => !name.startsWith(EVERYWHERE));
  return [description, ...own.map(({ value }) => value), ...own.map(({ name }) => name)];
}

/** What is said of a container, a collection or an entity. */
export function objectTexts({
  description,
  fullDescription = '',
}: {
  readonly description: string;
  readonly fullDescription?: string;
}): string[] {
  return [description, fullDescription];
}

type Shared = Pick<TermDocument, 'audience' | 'target' | 'entity'>;

function placeOf(value: { readonly entity: string; readonly private: boolean }) {
  return { entity: value.entity, audience: audienceOf(value.entity, value.private) };
}

function addName(terms: Map<string, TermDocument>, shared: Shared, kind: SearchKind, name: string): void {
  for (const term of searchTerms(name))
    terms.set(`${shared.target}/${term.length}`, { ...shared, kind, term });
}

function addTexts(
  terms: Map<string, TermDocument>,
  shared: Shared,
  kind: `${SearchKind}Text`,
  texts: readonly string[],
): void {
  for (const [slot, term] of wordsOf(texts, LIMITS.searchWords).entries())
    terms.set(`${shared.target}/w${slot}`, { ...shared, kind, term });
}

function addPlace(terms: Map<string, TermDocument>, shared: Shared, entityName: string): void {
  terms.set(`${shared.target}/p`, { ...shared, kind: 'place', term: entityName });
}
