import { DomainError } from '#libs/core';
import { type Db, MongoServerError } from 'mongodb';
import type { CollectionPlan } from '../checks.js';
import { mongoIndexes, type MongoIndex } from './records.js';

const NAMESPACE_EXISTS = 48;

interface ExistingIndex {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly unique?: boolean;
  readonly partialFilterExpression?: object;
}

/**
 * Makes the collection and its indexes what the plan says. Indexes of ours that the plan no longer has, or has otherwise,
 * go; indexes that an operator added stay.
 * @throws DomainError `conflict` when documents that are there break a unique index
 */
export async function declareCollection(db: Db, plan: CollectionPlan, standIn: boolean): Promise<void> {
  try {
    await db.createCollection(plan.name);
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== NAMESPACE_EXISTS) throw error;
  }
  const records = db.collection(plan.name);
  const wanted = new Map(mongoIndexes(plan).map((index) => [index.name, index]));
  for (const existing of (await records.listIndexes().toArray()) as ExistingIndex[]) {
    const index = wanted.get(existing.name);
    if (index !== undefined && same(existing, index, standIn)) wanted.delete(existing.name);
    else if (existing.name.startsWith('scs_')) await records.dropIndex(existing.name);
  }
  try {
    for (const { name, key, unique, partialFilterExpression } of wanted.values())
      await records.createIndex(key, { name, unique, ...(standIn ? {} : { partialFilterExpression }) });
  } catch (error) {
    if (error instanceof MongoServerError && error.code === 11_000)
      throw new DomainError(
        'conflict',
        `The collection ${plan.name} holds documents with equal values where there may be only one`,
        { reason: 'value_taken', cause: error },
      );
    throw error;
  }
}

function same(existing: ExistingIndex, wanted: MongoIndex, standIn: boolean): boolean {
  const text = (value: unknown): string => JSON.stringify(value ?? null);
  return (
    text(Object.keys(existing.key)) === text(Object.keys(wanted.key)) &&
    (existing.unique ?? false) === wanted.unique &&
    (standIn || text(existing.partialFilterExpression) === text(wanted.partialFilterExpression))
  );
}
