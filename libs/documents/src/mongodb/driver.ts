import { BSON, type Collection } from 'mongodb';
import type { CollectionPlan } from '../checks.js';
import type {
  CheckedScan,
  CheckedWrite,
  Driver,
  DriverCommit,
  LoadRow,
  RawDocument,
  RawPage,
} from '../driver.js';
import { KeyedLock } from '#libs/core';
import { DOCUMENT_LIMITS } from '../limits.js';
import type { IndexKey } from '../port.js';
import { apply, firstRevision } from './apply.js';
import { commitInTransaction, commitSequentially } from './commit.js';
import { connectMongo, type Connection } from './connect.js';
import { declareCollection } from './declare.js';
import { mongoError } from './errors.js';
import { documentOf, keyOf, mongoIndexName, type MongoRecord, projectionOf, stretches } from './records.js';

/** One MongoDB database, on a replica set. */
export class MongoDriver implements Driver {
  readonly kind = 'mongodb';
  readonly #connection: Connection;
  /** On the stand-in, one write at a time. */
  readonly #turn = new KeyedLock();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** @throws DomainError with one sentence about what is in the way */
  static async open(
    url: string,
    options: { readonly service: string; readonly log?: (message: string) => void },
  ): Promise<MongoDriver> {
    return new MongoDriver(await connectMongo(url, options));
  }

  declare(collection: CollectionPlan): Promise<void> {
    const { db, standIn } = this.#connection;
    return this.#run(() => declareCollection(db, collection, standIn));
  }

  get(collection: CollectionPlan, id: string): Promise<RawDocument | undefined> {
    return this.#run(async () => {
      const record = await this.#records(collection).findOne({ _id: id });
      return record === null ? undefined : documentOf(record);
    });
  }

  getMany(collection: CollectionPlan, ids: readonly string[]): Promise<readonly RawDocument[]> {
    return this.#run(async () => {
      const records = await this.#records(collection)
        .find({ _id: { $in: [...ids] } })
        .toArray();
      return records.map(documentOf);
    });
  }

  scan(collection: CollectionPlan, scan: CheckedScan): Promise<RawPage> {
    return this.#run(async () => {
      const items: RawDocument[] = [];
      let bytes = 0;
      for (const { filter, sort } of stretches(scan)) {
        const wanted = scan.limit + 1 - items.length;
        const cursor = this.#records(collection).find(filter, {
          sort,
          limit: wanted,
          ...(this.#connection.standIn ? {} : { hint: mongoIndexName(scan.index) }),
        });
        try {
          for await (const record of cursor) {
            if (items.length === scan.limit || bytes > DOCUMENT_LIMITS.scanBytes)
              return { items, more: true };
            bytes += BSON.calculateObjectSize(record);
            items.push(documentOf(record));
          }
        } finally {
          await cursor.close();
        }
      }
      return { items, more: false };
    });
  }

  keys(collection: CollectionPlan, scan: CheckedScan): Promise<readonly IndexKey[]> {
    return this.#run(async () => {
      const found: IndexKey[] = [];
      for (const { filter, sort } of stretches(scan)) {
        const records = await this.#records(collection)
          .find(filter, {
            sort,
            limit: scan.limit - found.length,
            projection: projectionOf(scan.index),
            ...(this.#connection.standIn ? {} : { hint: mongoIndexName(scan.index) }),
          })
          .toArray();
        found.push(...records.map((record) => keyOf(scan.index, record)));
        if (found.length === scan.limit) break;
      }
      return found;
    });
  }

  commit(writes: readonly CheckedWrite[]): Promise<DriverCommit> {
    const { client, db, standIn } = this.#connection;
    if (standIn) return this.#turn.run('', () => this.#run(() => commitSequentially(db, writes)));
    const [only] = writes;
    if (writes.length > 1 || only === undefined)
      return this.#run(() => commitInTransaction(client, db, writes));
    return this.#run(async () => {
      const { refusal, value } = await apply(this.#records(only.collection), only);
      return refusal === undefined
        ? { ok: true, values: [value] }
        : { ok: false, failed: 0, because: refusal };
    });
  }

  load(collection: CollectionPlan, rows: readonly LoadRow[]): Promise<void> {
    return this.#run(async () => {
      await this.#records(collection).bulkWrite(
        rows.map(({ id, json }) => ({
          replaceOne: {
            filter: { _id: id },
            replacement: { r: firstRevision(), v: JSON.parse(json) as Record<string, unknown> },
            upsert: true,
          },
        })),
        { ordered: false },
      );
    });
  }

  async ping(): Promise<void> {
    await this.#run(() => this.#connection.db.command({ ping: 1 }));
  }

  close(): Promise<void> {
    return this.#connection.client.close();
  }

  #records(collection: CollectionPlan): Collection<MongoRecord> {
    return this.#connection.db.collection<MongoRecord>(collection.name);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw mongoError(error, this.#connection.place);
    }
  }
}
