import { BSON, type Document } from 'mongodb';
import { type FakeMongo, startFakeMongo } from './fake-mongo.js';

/** A collection as it is held: records by their id. */
type Records = Map<string, Document>;

export interface MemoryMongo extends FakeMongo {
  /** What a collection holds. */
  recordsOf(collection: string): readonly Document[];
  /** The indexes that were asked for and not dropped since. */
  indexesOf(collection: string): readonly Document[];
}

/**
 * The far end of the MongoDB driver with a memory: a replica set as services see it, so that hints, partial indexes and
 * transactions are asked for as of a real one. It knows what libs/documents sends, refuses everything else, and does not take
 * transactions back.
 */
export async function startMemoryMongo(): Promise<MemoryMongo> {
  const collections = new Map<string, Records>();
  const indexes = new Map<string, Map<string, Document>>();
  const recordsOf = (name: string): Records => got(collections, name, () => new Map());
  const indexesOf = (name: string): Map<string, Document> => got(indexes, name, () => new Map());

  const verbs: Record<string, (command: Document, collection: string) => Document> = {
    find: (command, name) => batch(name, found([...recordsOf(name).values()], command)),
    insert: ({ documents }, name) => inserted(recordsOf(name), documents as Document[]),
    update: ({ updates }, name) => updated(recordsOf(name), updates as Document[]),
    findAndModify: ({ query, update }, name) => {
      const [record] = found([...recordsOf(name).values()], { filter: query, limit: 1 });
      if (record !== undefined) change(record, update as Document);
      return { ok: 1, value: record ?? null };
    },
    delete: ({ deletes }, name) => deleted(recordsOf(name), deletes as Document[]),
    createIndexes: ({ indexes: wanted }, name) => {
      for (const index of wanted as Document[]) indexesOf(name).set(String(index['name']), index);
      return { ok: 1 };
    },
    dropIndexes: ({ index }, name) => {
      indexesOf(name).delete(String(index));
      return { ok: 1 };
    },
    listIndexes: (_, name) => batch(name, [...indexesOf(name).values()]),
  };
  const fake = await startFakeMongo({
    replicaSet: 'rs',
    answer: (command) => {
      const [name = ''] = Object.keys(command);
      const verb = verbs[name];
      if (verb !== undefined) return verb(command, String(command[name]));
      return ELSE.test(name) ? undefined : { ok: 0, code: 59, errmsg: `no such command: ${name}` };
    },
  });
  return {
    ...fake,
    recordsOf: (name) => [...recordsOf(name).values()],
    indexesOf: (name) => [...indexesOf(name).values()],
  };
}

/** What needs no memory. */
const ELSE =
  /^(hello|ismaster|buildInfo|ping|connectionStatus|create|listCollections|endSessions|commitTransaction|abortTransaction)$/i;

function got<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

const batch = (collection: string, firstBatch: readonly Document[]): Document => ({
  ok: 1,
  cursor: { id: BSON.Long.ZERO, ns: `memory.${collection}`, firstBatch },
});

function found(records: readonly Document[], { filter, sort = {}, limit = 0 }: Document): Document[] {
  const order = Object.entries(sort as Record<string, number>);
  const sorted = records
    .filter((record) => fits(record, filter as Document))
    .toSorted((a, b) => {
      for (const [path, direction] of order) {
        const by = compare(at(a, path), at(b, path)) * direction;
        if (by !== 0) return by;
      }
      return 0;
    });
  return limit === 0 ? sorted : sorted.slice(0, Number(limit));
}

function inserted(records: Records, documents: readonly Document[]): Document {
  const taken = documents.findIndex(({ _id: id }) => records.has(String(id)));
  if (taken !== -1)
    return { ok: 1, n: 0, writeErrors: [{ index: taken, code: 11_000, errmsg: 'duplicate' }] };
  for (const document of documents) records.set(String(document['_id']), document);
  return { ok: 1, n: documents.length };
}

function updated(records: Records, updates: readonly Document[]): Document {
  let n = 0;
  for (const { q, u, upsert } of updates) {
    if (upsert === true) throw new Error('No upserts here');
    for (const record of found([...records.values()], { filter: q, limit: 1 })) {
      change(record, u as Document);
      n += 1;
    }
  }
  return { ok: 1, n, nModified: n };
}

/** `$set` of what stands at the top, and `$inc` of what stands there or one below it. */
function change(record: Document, { $set = {}, $inc = {}, ...rest }: Document): void {
  const unknown = Object.keys(rest);
  if (unknown.length > 0) throw new Error(`No such update here: ${unknown.join(', ')}`);
  for (const [path, by] of Object.entries($inc as Document)) {
    const [first = '', second] = path.split('.');
    const holder = second === undefined ? record : (record[first] as Document);
    holder[second ?? first] = Number(holder[second ?? first]) + Number(by);
  }
  Object.assign(record, $set);
}

function deleted(records: Records, deletes: readonly Document[]): Document {
  let n = 0;
  for (const { q } of deletes)
    for (const record of found([...records.values()], { filter: q, limit: 1 }))
      n += Number(records.delete(String(record['_id'])));
  return { ok: 1, n };
}

const at = (record: Document, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Document | undefined)?.[name], record);

/** Numbers before strings, strings by their UTF-8 bytes. */
function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return typeof a === 'number' ? -1 : 1;
}

const CONDITIONS: Readonly<Record<string, (value: unknown, wanted: unknown) => boolean>> = {
  $eq: (value, wanted) => value === wanted,
  $in: (value, wanted) => (wanted as unknown[]).includes(value),
  $exists: (value, wanted) => (value !== undefined) === wanted,
  $gt: (value, wanted) => typeof value === typeof wanted && compare(value, wanted) > 0,
  $gte: (value, wanted) => typeof value === typeof wanted && compare(value, wanted) >= 0,
  $lt: (value, wanted) => typeof value === typeof wanted && compare(value, wanted) < 0,
  $lte: (value, wanted) => typeof value === typeof wanted && compare(value, wanted) <= 0,
};

function fits(record: Document, filter: Document): boolean {
  return Object.entries(filter).every(([path, wanted]: [string, unknown]) => {
    const value = at(record, path);
    if (typeof wanted !== 'object' || wanted === null) return value === wanted;
    return Object.entries(wanted).every(([operator, operand]) => {
      const condition = CONDITIONS[operator];
      if (condition === undefined) throw new Error(`No such condition here: ${operator}`);
      return condition(value, operand);
    });
  });
}
