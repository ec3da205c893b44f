import type { Document } from 'mongodb';

/*
 * What MongoDB's planner does with a find, as far as it can be told from the command and the indexes: where no MongoDB is at hand,
 * its `explain` cannot be asked, and the one of the stand-in speaks of the stand-in's own tables.
 */

/** Documents that the port asks for at once, and one more that tells whether there are more (libs/documents). */
const MOST = 1001;

/** Commands that read, and have no place where everything is to be found by an index. */
const OTHER_READS = ['aggregate', 'count', 'distinct', 'mapReduce', 'getMore'];

/**
 * Why a command cannot be answered from one unbroken stretch of an index, in the order of that index and with an end; undefined
 * when it can, and for commands that find nothing.
 * @param indexesOf those that a collection has
 */
export function unserved(
  command: Document,
  indexesOf: (collection: string) => readonly Document[],
): string | undefined {
  const other = OTHER_READS.find((name) => name in command);
  if (other !== undefined) return `${other}: not a find`;
  if ('find' in command) return unservedFind(command, indexesOf(String(command['find'])));
  // Writes: each is of one document by its id.
  for (const { q } of [...list(command['updates']), ...list(command['deletes'])])
    if (!isById(q as Document)) return `a write that looks for ${JSON.stringify(q)}`;
  if ('findAndModify' in command && !isById(command['query'] as Document))
    return `a write that looks for ${JSON.stringify(command['query'])}`;
  return undefined;
}

function unservedFind(command: Document, indexes: readonly Document[]): string | undefined {
  const { filter, sort = {}, limit, hint, skip } = command;
  if (isById(filter as Document)) return undefined;
  if (skip !== undefined) return 'it skips';
  if (typeof limit !== 'number' || limit < 1 || limit > MOST) return `its limit is ${String(limit)}`;
  const index = indexes.find(({ name }) => name === hint);
  if (index === undefined) return `there is no index ${String(hint)}`;
  const conditions = Object.entries(filter as Record<string, Document>);
  const unknown = conditions.flatMap(([, one]) => Object.keys(one)).find((name) => !KNOWN.has(name));
  if (unknown !== undefined) return `${unknown} is no stretch of an index`;
  const missing = Object.keys((index['partialFilterExpression'] as Document | undefined) ?? {}).find(
    (field) => (filter as Document)[field]?.$exists !== true,
  );
  if (missing !== undefined) return `documents without ${missing}, which are not in the index, might fit`;
  return unservedBy(Object.keys(index['key'] as Document), conditions, sort as Record<string, number>);
}

/** Equal values of the first fields, then bounds of one, then nothing; sorted by what follows the equal ones, all one way. */
function unservedBy(
  fields: readonly string[],
  conditions: readonly (readonly [string, Document])[],
  sort: Readonly<Record<string, number>>,
): string | undefined {
  const kinds = new Map(conditions.map(([field, one]) => [field, kindOf(one)]));
  const equal = fields.findIndex((field) => kinds.get(field) !== 'equal');
  const rest = equal === -1 ? [] : fields.slice(equal);
  const [, ...behind] = rest;
  const astray = [...kinds].find(
    ([field, kind]) => kind !== 'any' && (!fields.includes(field) || behind.includes(field)),
  );
  if (astray !== undefined) return `${astray[0]} is looked for behind a field that is not fixed`;
  // In one that is fixed all are equal, whichever way they are sorted.
  const wanted = Object.keys(sort).filter((field) => rest.includes(field) || !fields.includes(field));
  if (wanted.join() !== rest.slice(0, wanted.length).join()) return `it has to be sorted by ${wanted.join()}`;
  return new Set(wanted.map((field) => sort[field])).size > 1 ? 'it is sorted both ways' : undefined;
}

const KNOWN = new Set(['$eq', '$gt', '$gte', '$lt', '$lte', '$exists']);

function kindOf(condition: Document): 'equal' | 'range' | 'any' {
  const names = Object.keys(condition).filter((name) => name !== '$exists');
  if (names.length === 0) return 'any';
  return names.includes('$eq') ? 'equal' : 'range';
}

/** One document, or as many as there are ids. */
function isById({ _id: id }: Document): boolean {
  if (typeof id === 'string') return true;
  const ids: unknown = (id as Document | undefined)?.['$in'];
  return Array.isArray(ids) && ids.length < MOST && ids.every((one) => typeof one === 'string');
}

const list = (value: unknown): readonly Document[] => (Array.isArray(value) ? value : []);
