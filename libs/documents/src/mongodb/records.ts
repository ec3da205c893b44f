import type { CollectionPlan, IndexPlan } from '../checks.js';
import type { CheckedScan, RawDocument } from '../driver.js';
import type { IndexKey, IndexValue } from '../port.js';

/** A document as MongoDB holds it: our id, the revision and, apart from both, the value. */
export interface MongoRecord {
  _id: string;
  r: number;
  v: Record<string, unknown>;
}

export const documentOf = ({ _id, r, v }: MongoRecord): RawDocument => ({ id: _id, revision: r, value: v });

const path = (field: string): string => `v.${field}`;

/** The name of an index in MongoDB. */
export const mongoIndexName = (index: IndexPlan): string => `scs_${index.name}`;

/** What is asked for when the fields of an index are enough. */
export const projectionOf = (index: IndexPlan): Readonly<Record<string, 1>> =>
  Object.fromEntries(['_id', ...index.fields.map(path)].map((name) => [name, 1] as const));

/** Only documents that have all fields of an index, as strings and numbers, are in it. */
export const keyOf = (index: IndexPlan, { _id, v }: MongoRecord): IndexKey => ({
  id: _id,
  keys: index.fields.map((field) => v[field] as IndexValue),
});

/** An index as MongoDB is asked for it. Partial: it holds only the documents that have all its fields. */
export interface MongoIndex {
  readonly name: string;
  readonly key: Readonly<Record<string, 1>>;
  readonly unique: boolean;
  readonly partialFilterExpression: Readonly<Record<string, { readonly $exists: true }>>;
}

/** The indexes of a collection. All but the unique ones end with the id, so that every order is total. */
export function mongoIndexes(collection: CollectionPlan): readonly MongoIndex[] {
  return collection.indexes.map((index) => ({
    name: mongoIndexName(index),
    key: Object.fromEntries([
      ...index.fields.map((field) => [path(field), 1] as const),
      ...(index.unique ? [] : [['_id', 1] as const]),
    ]),
    unique: index.unique,
    partialFilterExpression: Object.fromEntries(
      index.fields.map((field) => [path(field), { $exists: true }] as const),
    ),
  }));
}

type Condition = Partial<Record<'$eq' | '$gt' | '$gte' | '$lt', IndexValue>> & { $exists?: true };

/** One query: every document it finds lies in one unbroken stretch of the index. */
export interface Stretch {
  readonly filter: Readonly<Record<string, Condition>>;
  readonly sort: Readonly<Record<string, 1 | -1>>;
}

/**
 * A scan as queries to be made one after the other until the page is full. The first page is one query; a page that
 * continues behind a place (a, b, id) is up to three, (a, b, > id), (a, > b) and (> a): each a bounded stretch of the
 * index, where one `$or` would be read from the start.
 */
export function stretches(scan: CheckedScan): readonly Stretch[] {
  const { index, equal, after, descending } = scan;
  const rest = index.fields.slice(equal.length).map(path);
  const order = index.unique ? rest : [...rest, '_id'];
  const sort = Object.fromEntries(order.map((field) => [field, descending ? -1 : 1] as const));
  const fixed = new Map<string, Condition>(
    index.fields.map((field, position) => {
      const value = equal[position];
      return [path(field), { ...(value === undefined ? {} : { $eq: value }), $exists: true }];
    }),
  );
  const bound = (field: string | undefined): Condition =>
    field === undefined || field !== rest[0]
      ? {}
      : {
          ...(scan.from === undefined ? {} : { $gte: scan.from }),
          ...(scan.before === undefined ? {} : { $lt: scan.before }),
        };
  const stretch = (conditions: readonly (readonly [string, Condition])[]): Stretch => {
    const filter = new Map(fixed);
    for (const [field, condition] of conditions) filter.set(field, { ...fixed.get(field), ...condition });
    return { filter: Object.fromEntries(filter), sort };
  };
  if (after === undefined) return [stretch(rest[0] === undefined ? [] : [[rest[0], bound(rest[0])]])];

  const place: readonly IndexValue[] = index.unique ? after.keys : [...after.keys, after.id];
  return order
    .map((_, from) => order.length - 1 - from)
    .map((position) =>
      stretch(
        order.slice(0, position + 1).flatMap((field, at): [string, Condition][] => {
          const value = place[at];
          if (value === undefined) return [];
          if (at < position) return [[field, { $eq: value }]];
          // The place is inside the bounds; only the bound ahead still matters.
          const { $gte, $lt } = bound(field);
          return descending
            ? [[field, { $lt: value, ...($gte === undefined ? {} : { $gte }) }]]
            : [[field, { $gt: value, ...($lt === undefined ? {} : { $lt }) }]];
        }),
      ),
    );
}
