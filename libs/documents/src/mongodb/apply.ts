import { type ClientSession, type Collection, MongoServerError } from 'mongodb';
import type { CheckedWrite, Increment, Refusal } from '../driver.js';
import type { MongoRecord } from './records.js';

/** What became of one write: refused, or done (with the value that an increment made, or the count of a delete). */
export interface Applied {
  readonly refusal?: Refusal;
  readonly value?: number;
}

/**
 * The first revision of a document: from the time, so that a document which is deleted and made again does not repeat
 * the revisions of the first one.
 */
let lastBirth = 0;
export function firstRevision(): number {
  lastBirth = Math.max(lastBirth + 1, Date.now() * 1000 + Math.floor(Math.random() * 1000));
  return lastBirth;
}

const parse = (json: string | undefined): Record<string, unknown> =>
  JSON.parse(json ?? '{}') as Record<string, unknown>;

// The stand-in of the tests says it in words when an update is refused.
const isDuplicate = (error: unknown): boolean =>
  error instanceof MongoServerError &&
  (error.code === 11_000 || error.message.includes('UNIQUE constraint failed'));

/** Applies one write, in a transaction when there is a session. */
export async function apply(
  records: Collection<MongoRecord>,
  write: CheckedWrite,
  session?: ClientSession,
): Promise<Applied> {
  const options = session === undefined ? {} : { session };
  const { id, revision } = write;
  try {
    switch (write.kind) {
      case 'insert':
        await records.insertOne({ _id: id, r: firstRevision(), v: parse(write.json) }, options);
        return {};
      case 'put':
        return await put(records, id, parse(write.json), session);
      case 'replace': {
        const change = { $set: { v: parse(write.json) }, $inc: { r: 1 } };
        const { matchedCount } = await records.updateOne({ _id: id, r: revision ?? -1 }, change, options);
        return matchedCount === 1 ? {} : { refusal: 'changed' };
      }
      case 'delete': {
        const filter = revision === undefined ? { _id: id } : { _id: id, r: revision };
        const { deletedCount } = await records.deleteOne(filter, options);
        if (deletedCount === 1 || revision === undefined) return { value: deletedCount };
        return { refusal: (await records.findOne({ _id: id }, options)) === null ? 'missing' : 'changed' };
      }
      case 'increment':
        return write.increment === undefined ? {} : await increment(records, id, write.increment, session);
      default:
        throw new Error(`Not a write: ${String(write.kind)}`);
    }
  } catch (error) {
    if (isDuplicate(error)) return { refusal: 'exists' };
    throw error;
  }
}

/** Overwrites or inserts; between the two somebody else may have inserted, so again (in a transaction that cannot be). */
async function put(
  records: Collection<MongoRecord>,
  id: string,
  value: Record<string, unknown>,
  session?: ClientSession,
): Promise<Applied> {
  const options = session === undefined ? {} : { session };
  for (;;) {
    const change = { $set: { v: value }, $inc: { r: 1 } };
    const { matchedCount } = await records.updateOne({ _id: id }, change, options);
    if (matchedCount === 1) return {};
    try {
      await records.insertOne({ _id: id, r: firstRevision(), v: value }, options);
      return {};
    } catch (error) {
      if (session !== undefined || !isDuplicate(error)) throw error;
      // Not the id is taken, but a value of a unique index.
      if ((await records.findOne({ _id: id })) === null) throw error;
    }
  }
}

async function increment(
  records: Collection<MongoRecord>,
  id: string,
  { field, by, minimum, maximum }: Increment,
  session?: ClientSession,
): Promise<Applied> {
  const options = session === undefined ? {} : { session };
  const path = `v.${field}`;
  const after = await records.findOneAndUpdate(
    { _id: id, [path]: { $gte: minimum - by, $lte: maximum - by } },
    { $inc: { [path]: by, r: 1 } },
    { ...options, returnDocument: 'after' },
  );
  const value = after?.v[field];
  if (typeof value === 'number') return { value };
  const before = await records.findOne({ _id: id }, options);
  return { refusal: typeof before?.v[field] === 'number' ? 'bounds' : 'missing' };
}
