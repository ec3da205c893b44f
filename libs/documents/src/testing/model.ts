import { compareIndexValues } from '../cursor.js';
import type { IndexKey, IndexValue, ScanOptions } from '../port.js';
import type { Thing, ThingIndex } from './things.js';

const FIELDS: Readonly<Record<ThingIndex, readonly (keyof Thing)[]>> = {
  byGroup: ['group'],
  byRank: ['group', 'rank'],
  byName: ['name'],
  byCount: ['count'],
};

export type ModelWrite =
  | { readonly kind: 'insert' | 'put'; readonly id: string; readonly value: Thing }
  /** `fresh`: at the revision that is stored now, or at one that never was. */
  | { readonly kind: 'replace'; readonly id: string; readonly value: Thing; readonly fresh: boolean }
  | { readonly kind: 'delete'; readonly id: string; readonly fresh?: boolean }
  | { readonly kind: 'increment'; readonly id: string; readonly by: number; readonly maximum: number };

/** The document port as a Map: what the drivers are compared with. */
export class Model {
  documents = new Map<string, Thing>();

  /** What a write gives: undefined when it is done, else why not. */
  apply(write: ModelWrite): string | undefined {
    const before = this.documents.get(write.id);
    if (write.kind === 'delete') {
      if (write.fresh !== undefined && before === undefined) return 'missing';
      if (write.fresh === false) return 'changed';
      this.documents.delete(write.id);
      return undefined;
    }
    if (write.kind === 'increment') {
      if (before === undefined) return 'missing';
      if (before.count + write.by > write.maximum) return 'bounds';
      this.documents.set(write.id, { ...before, count: before.count + write.by });
      return undefined;
    }
    if (write.kind === 'insert' && before !== undefined) return 'exists';
    if (write.kind === 'replace' && (before === undefined || !write.fresh)) return 'changed';
    for (const [id, { name }] of this.documents)
      if (id !== write.id && name !== undefined && name === write.value.name) return 'exists';
    this.documents.set(write.id, write.value);
    return undefined;
  }

  /** All or nothing; the position of the first write that is refused, and why. */
  commit(writes: readonly ModelWrite[]): { failed: number; because: string } | undefined {
    const before = new Map(this.documents);
    for (const [failed, write] of writes.entries()) {
      const because = this.apply(write);
      if (because !== undefined) {
        this.documents = before;
        return { failed, because };
      }
    }
    return undefined;
  }

  /** What an index holds of a document. */
  key(index: ThingIndex, id: string): IndexKey {
    const value = this.documents.get(id);
    return { id, keys: FIELDS[index].map((field) => value?.[field] as IndexValue) };
  }

  /** The ids of a scan without a limit. */
  scan(index: ThingIndex, options: Omit<ScanOptions, 'limit' | 'cursor'>): string[] {
    const fields = FIELDS[index];
    const equal = options.equal ?? [];
    const ranged = fields[equal.length];
    const key = (value: Thing): (string | number)[] => fields.map((field) => value[field] as string | number);
    const found = [...this.documents]
      .filter(([, value]) => fields.every((field) => value[field] !== undefined))
      .filter(([, value]) => equal.every((wanted, at) => key(value)[at] === wanted))
      .filter(([, value]) => {
        if (ranged === undefined) return true;
        const got = value[ranged] as string | number;
        return (
          (options.from === undefined || compareIndexValues(got, options.from) >= 0) &&
          (options.before === undefined || compareIndexValues(got, options.before) < 0)
        );
      })
      .toSorted(([idA, a], [idB, b]) => {
        const [keyA, keyB] = [
          [...key(a), idA],
          [...key(b), idB],
        ];
        for (const [at, value] of keyA.entries()) {
          const order = compareIndexValues(value, keyB[at] ?? '');
          if (order !== 0) return order;
        }
        return 0;
      })
      .map(([id]) => id);
    return options.direction === 'descending' ? found.toReversed() : found;
  }
}
