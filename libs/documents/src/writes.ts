import { expected } from '#libs/core';
import { checkDocument, checkId, type CollectionPlan } from './checks.js';
import type { CheckedWrite, Increment } from './driver.js';
import { collectionKeys, type KeyTypes } from './keys.js';
import type { CollectionSpec, Write, WriteMaker } from './port.js';

/** A Write with what stands behind it, which nobody else can put there: a look-alike is refused by `commit`. */
class MadeWrite implements Write {
  readonly collection: string;
  readonly kind: Write['kind'];
  readonly id: string;
  readonly #checked: CheckedWrite;

  constructor(checked: CheckedWrite) {
    this.collection = checked.collection.name;
    this.kind = checked.kind;
    this.id = checked.id;
    this.#checked = checked;
  }

  static behind(write: Write): CheckedWrite | undefined {
    return #checked in write ? write.#checked : undefined;
  }
}

/** @throws TypeError for a write that no WriteMaker made */
export function checkedWrite(write: Write): CheckedWrite {
  const checked = MadeWrite.behind(write);
  if (checked === undefined)
    throw new TypeError(expected('a write made by Collection.write', 'commit', JSON.stringify(write)));
  return checked;
}

/** Makes and checks the writes of one collection. */
export class CheckedWriteMaker<D extends object> implements WriteMaker<D> {
  readonly #plan: CollectionPlan;
  readonly #spec: CollectionSpec<D>;
  readonly #types: KeyTypes = new Map();

  constructor(plan: CollectionPlan, spec: CollectionSpec<D>) {
    this.#plan = plan;
    this.#spec = spec;
  }

  insert(id: string, value: D): Write {
    return this.#make({ kind: 'insert', id: checkId(id), ...this.document(value) });
  }

  put(id: string, value: D): Write {
    return this.#make({ kind: 'put', id: checkId(id), ...this.document(value) });
  }

  replace(id: string, revision: number, value: D): Write {
    return this.#make({
      kind: 'replace',
      id: checkId(id),
      revision: checkRevision(revision),
      ...this.document(value),
    });
  }

  delete(id: string, revision?: number): Write {
    return this.#make({
      kind: 'delete',
      id: checkId(id),
      ...(revision === undefined ? {} : { revision: checkRevision(revision) }),
    });
  }

  increment(
    id: string,
    field: keyof D & string,
    by: number,
    bounds: { minimum?: number; maximum?: number } = {},
  ): Write {
    const increment: Increment = {
      field: checkField(field),
      by: checkInteger(by, 'an increment'),
      minimum: checkInteger(bounds.minimum ?? Number.MIN_SAFE_INTEGER, 'the minimum of an increment'),
      maximum: checkInteger(bounds.maximum ?? Number.MAX_SAFE_INTEGER, 'the maximum of an increment'),
    };
    return this.#make({ kind: 'increment', id: checkId(id), increment });
  }

  /** The stored form of a document. @throws Error when it does not fit the schema, as well as all that checkDocument throws */
  document(value: D): { readonly json: string; readonly keys: CheckedWrite['keys'] & object } {
    const parsed = this.#spec.schema.safeParse(value);
    if (!parsed.success)
      throw new Error(
        expected('a document that fits its schema', `collection ${this.#plan.name}`, parsed.error.message),
      );
    const json = checkDocument(parsed.data);
    return { json, keys: collectionKeys(this.#plan, parsed.data, this.#types) };
  }

  #make(write: Omit<CheckedWrite, 'collection'>): Write {
    return new MadeWrite({ collection: this.#plan, ...write });
  }
}

function checkRevision(revision: number): number {
  return checkInteger(revision, 'a revision');
}

function checkInteger(value: number, name: string): number {
  if (!Number.isSafeInteger(value)) throw new TypeError(expected('a safe integer', name, value));
  return value;
}

function checkField(field: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_]{0,60}$/.test(field))
    throw new TypeError(expected('the name of a field', 'an increment', field));
  return field;
}
