import type { Collection, Db, MongoClient } from 'mongodb';
import type { CheckedWrite, DriverCommit, Refusal } from '../driver.js';
import { apply } from './apply.js';
import type { MongoRecord } from './records.js';

/** Carries a refusal out of a transaction, which it ends. */
class Refused extends Error {
  readonly failed: number;
  readonly because: Refusal;

  constructor(failed: number, because: Refusal) {
    super(because);
    this.failed = failed;
    this.because = because;
  }
}

const recordsOf = (db: Db, write: CheckedWrite): Collection<MongoRecord> =>
  db.collection<MongoRecord>(write.collection.name);

/** All the writes or none of them, in a transaction that is tried again as long as others are in its way. */
export async function commitInTransaction(
  client: MongoClient,
  db: Db,
  writes: readonly CheckedWrite[],
): Promise<DriverCommit> {
  try {
    return await client.withSession((session) =>
      session.withTransaction(
        async () => {
          const values: (number | undefined)[] = [];
          for (const [failed, write] of writes.entries()) {
            const { refusal, value } = await apply(recordsOf(db, write), write, session);
            if (refusal !== undefined) throw new Refused(failed, refusal);
            values.push(value);
          }
          return { ok: true as const, values };
        },
        {
          readConcern: { level: 'snapshot' },
          writeConcern: { w: 'majority', journal: true },
          readPreference: 'primary',
        },
      ),
    );
  } catch (error) {
    if (error instanceof Refused) return { ok: false, failed: error.failed, because: error.because };
    throw error;
  }
}

/**
 * For the stand-in of the tests: one write after the other; when one is refused, those before it are taken back. Nobody
 * else may write meanwhile, and a crash in the middle leaves a part: this is why it is for tests only.
 */
export async function commitSequentially(db: Db, writes: readonly CheckedWrite[]): Promise<DriverCommit> {
  const values: (number | undefined)[] = [];
  const undo: { write: CheckedWrite; before: MongoRecord | null }[] = [];
  for (const [failed, write] of writes.entries()) {
    const records = recordsOf(db, write);
    const before = writes.length === 1 ? null : await records.findOne({ _id: write.id });
    const { refusal, value } = await apply(records, write);
    if (refusal !== undefined) {
      for (const step of undo.toReversed())
        await restore(recordsOf(db, step.write), step.write.id, step.before);
      return { ok: false, failed, because: refusal };
    }
    undo.push({ write, before });
    values.push(value);
  }
  return { ok: true, values };
}

async function restore(
  records: Collection<MongoRecord>,
  id: string,
  before: MongoRecord | null,
): Promise<void> {
  await records.deleteOne({ _id: id });
  if (before !== null) await records.insertOne(before);
}
