import { expected } from '#libs/core';
import { type CollectionPlan, planCollection } from './checks.js';
import { CheckedCollection } from './collection.js';
import type { Driver } from './driver.js';
import { DOCUMENT_LIMITS } from './limits.js';
import type { Collection, CollectionSpec, CommitResult, Documents, Write } from './port.js';
import { checkedWrite } from './writes.js';

/** The document port over a driver. */
export class CheckedDocuments implements Documents {
  readonly #driver: Driver;
  readonly #declarations = new Map<string, { plan: CollectionPlan; done: Promise<void> }>();
  #closing: Promise<void> | undefined;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  get driver(): 'sqlite' | 'mongodb' {
    return this.#driver.kind;
  }

  collection<D extends object, I extends string>(spec: CollectionSpec<D, I>): Collection<D, I> {
    const plan = planCollection(spec);
    const key = plan.name.toLowerCase();
    const known = this.#declarations.get(key);
    if (known !== undefined && JSON.stringify(known.plan) !== JSON.stringify(plan))
      throw new Error(expected('one declaration', `the collection ${plan.name}`, 'two different ones'));
    const declaration = known ?? { plan, done: this.#driver.declare(plan) };
    // Reported by ready() and by every use of the collection; never as an unhandled rejection.
    declaration.done.catch(() => undefined);
    this.#declarations.set(key, declaration);
    return new CheckedCollection({
      driver: this.#driver,
      // Always the same one: drivers keep prepared statements by it.
      plan: declaration.plan,
      spec,
      declared: () => declaration.done,
    });
  }

  async ready(): Promise<void> {
    await Promise.all([...this.#declarations.values()].map(({ done }) => done));
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    if (writes.length > DOCUMENT_LIMITS.commitWrites)
      throw new RangeError(
        expected(`at most ${DOCUMENT_LIMITS.commitWrites} writes`, 'a commit', writes.length),
      );
    const checked = writes.map(checkedWrite);
    if (checked.length === 0) return { ok: true };
    await this.ready();
    const result = await this.#driver.commit(checked);
    return result.ok ? { ok: true } : result;
  }

  async ping(): Promise<void> {
    await this.ready();
    await this.#driver.ping();
  }

  close(): Promise<void> {
    // What was asked for before this, and waits for its collection, goes first.
    this.#closing ??= this.ready()
      .catch(() => undefined)
      .then(() => this.#driver.close());
    return this.#closing;
  }
}
