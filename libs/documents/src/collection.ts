import { DomainError, expected, KeyedLock } from '#libs/core';
import { checkId, checkIndexValue, type CollectionPlan, type IndexPlan } from './checks.js';
import { readCursor, writeCursor } from './cursor.js';
import type { CheckedScan, CheckedWrite, Driver, DriverCommit, RawDocument } from './driver.js';
import { DOCUMENT_LIMITS } from './limits.js';
import type {
  Collection,
  CollectionSpec,
  IndexKey,
  IndexValue,
  ScanOptions,
  ScanResult,
  Stored,
  Write,
} from './port.js';
import { checkedWrite, CheckedWriteMaker } from './writes.js';

/** Documents written together by `load`: bounds what waits in memory. */
const LOAD_BATCH = 500;

/** Checks, schemas, cursors and retries around a driver: the same for every database. */
export class CheckedCollection<D extends object, I extends string> implements Collection<D, I> {
  readonly write: CheckedWriteMaker<D>;
  readonly #driver: Driver;
  readonly #plan: CollectionPlan;
  readonly #indexes: ReadonlyMap<string, IndexPlan>;
  readonly #declared: () => Promise<void>;
  readonly #lock = new KeyedLock();

  /** `declared` resolves when the database has the collection and its indexes. */
  constructor(parts: {
    driver: Driver;
    plan: CollectionPlan;
    spec: CollectionSpec<D, I>;
    declared: () => Promise<void>;
  }) {
    this.#driver = parts.driver;
    this.#plan = parts.plan;
    this.#indexes = new Map(parts.plan.indexes.map((index) => [index.name, index]));
    this.#declared = parts.declared;
    this.write = new CheckedWriteMaker(parts.plan, parts.spec);
  }

  async get(id: string): Promise<Stored<D> | undefined> {
    checkId(id);
    await this.#declared();
    const document = await this.#driver.get(this.#plan, id);
    return document === undefined ? undefined : this.#stored(document);
  }

  async getMany(ids: readonly string[]): Promise<readonly Stored<D>[]> {
    const [only] = ids;
    if (only !== undefined && ids.length === 1) {
      const found = await this.get(only);
      return found === undefined ? [] : [found];
    }
    if (ids.length > DOCUMENT_LIMITS.scanItems)
      throw new RangeError(expected(`at most ${DOCUMENT_LIMITS.scanItems} ids`, 'getMany', ids.length));
    ids.forEach(checkId);
    await this.#declared();
    if (ids.length === 0) return [];
    const found = new Map(
      (await this.#driver.getMany(this.#plan, [...new Set(ids)])).map((one) => [one.id, one]),
    );
    return ids.flatMap((id) => {
      const document = found.get(id);
      return document === undefined ? [] : [this.#stored(document)];
    });
  }

  async insert(id: string, value: D): Promise<'inserted' | 'exists'> {
    const result = await this.#commit(this.write.insert(id, value));
    return result.ok ? 'inserted' : 'exists';
  }

  async put(id: string, value: D): Promise<void> {
    const result = await this.#commit(this.write.put(id, value));
    if (!result.ok) throw this.#taken(id);
  }

  async replace(id: string, revision: number, value: D): Promise<'replaced' | 'changed'> {
    const result = await this.#commit(this.write.replace(id, revision, value));
    if (result.ok) return 'replaced';
    if (result.because === 'exists') throw this.#taken(id);
    return 'changed';
  }

  update(id: string, change: (value: D | undefined) => D | undefined): Promise<D | undefined> {
    // Within one process they queue up, so that only other writers can make an attempt fail.
    return this.#lock.run(id, async () => {
      for (let attempt = 0; attempt < DOCUMENT_LIMITS.updateAttempts; attempt += 1) {
        const before = await this.get(id);
        const value = change(before?.value);
        if (value === undefined) return before?.value;
        const document = this.write.document(value);
        const result = await this.#driver.commit([
          before === undefined
            ? { collection: this.#plan, kind: 'insert', id, ...document }
            : { collection: this.#plan, kind: 'replace', id, revision: before.revision, ...document },
        ]);
        if (result.ok) return JSON.parse(document.json) as D;
        // An insert may have lost to another one of this id, which is to be tried again; else the value is taken.
        if (result.because === 'exists' && (before !== undefined || (await this.get(id)) === undefined))
          throw this.#taken(id);
      }
      throw new DomainError(
        'conflict',
        `The document ${id} of ${this.#plan.name} is being changed by too many at once`,
        { reason: 'too_many_writers' },
      );
    });
  }

  async delete(id: string, revision?: number): Promise<'deleted' | 'missing' | 'changed'> {
    const result = await this.#commit(this.write.delete(id, revision));
    if (result.ok) return result.values[0] === 0 ? 'missing' : 'deleted';
    return result.because === 'missing' ? 'missing' : 'changed';
  }

  async scan(index: I, options: ScanOptions): Promise<ScanResult<D>> {
    const scan = this.#checkScan(index, options);
    await this.#declared();
    const page = await this.#driver.scan(this.#plan, scan);
    const items = page.items.map((document) => this.#stored(document));
    const last = items.at(-1);
    if (!page.more || last === undefined) return { items };
    const keys = scan.index.fields
      .slice(scan.equal.length)
      .map((field) => checkIndexValue((last.value as Record<string, unknown>)[field], field));
    return { items, cursor: writeCursor(scan.index, { keys, id: last.id }) };
  }

  async keys(index: I, options: Omit<ScanOptions, 'cursor'>): Promise<readonly IndexKey[]> {
    const scan = this.#checkScan(index, options);
    await this.#declared();
    return this.#driver.keys(this.#plan, scan);
  }

  async increment(
    id: string,
    field: keyof D & string,
    by: number,
    bounds?: { minimum?: number; maximum?: number },
  ): Promise<
    | { readonly ok: true; readonly value: number }
    | { readonly ok: false; readonly because: 'missing' | 'bounds' }
  > {
    const result = await this.#commit(this.write.increment(id, field, by, bounds));
    if (result.ok) return { ok: true, value: result.values[0] ?? Number.NaN };
    if (result.because === 'exists') throw this.#taken(id);
    return { ok: false, because: result.because === 'bounds' ? 'bounds' : 'missing' };
  }

  async load(documents: Iterable<{ readonly id: string; readonly value: D }>): Promise<number> {
    await this.#declared();
    let count = 0;
    let batch: { id: string; json: string; keys: CheckedWrite['keys'] & object }[] = [];
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await this.#driver.load(this.#plan, batch);
      count += batch.length;
      batch = [];
    };
    for (const { id, value } of documents) {
      batch.push({ id: checkId(id), ...this.write.document(value) });
      if (batch.length === LOAD_BATCH) await flush();
    }
    await flush();
    return count;
  }

  async #commit(write: Write): Promise<DriverCommit> {
    const checked = checkedWrite(write);
    await this.#declared();
    return this.#driver.commit([checked]);
  }

  #taken(id: string): DomainError {
    return new DomainError(
      'conflict',
      `A value of ${id} is already taken by another document of ${this.#plan.name}`,
      { reason: 'value_taken' },
    );
  }

  #stored(document: RawDocument): Stored<D> {
    return { id: document.id, revision: document.revision, value: document.value as D };
  }

  #checkScan(name: string, options: ScanOptions): CheckedScan {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(expected('a declared index', this.#plan.name, name));
    const { limit, from, before } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > DOCUMENT_LIMITS.scanItems)
      throw new RangeError(expected(`1 to ${DOCUMENT_LIMITS.scanItems}`, 'the limit of a scan', limit));
    const equal = (options.equal ?? []).map((value, position) =>
      checkIndexValue(value, index.fields[position] ?? name),
    );
    const ranged = from !== undefined || before !== undefined;
    if (equal.length > index.fields.length || (ranged && equal.length === index.fields.length))
      throw new RangeError(expected(`at most ${index.fields.length} fields`, `a scan of ${name}`, 'more'));
    const bounds = {
      ...(from === undefined ? {} : { from: checkIndexValue(from, 'from') }),
      ...(before === undefined ? {} : { before: checkIndexValue(before, 'before') }),
    };
    const checked: { equal: readonly IndexValue[]; index: IndexPlan } = { index, equal };
    return {
      ...checked,
      ...bounds,
      descending: options.direction === 'descending',
      limit,
      ...(options.cursor === undefined
        ? {}
        : { after: readCursor(options.cursor, { ...checked, ...bounds }) }),
    };
  }
}
