import { createHash, type Hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** Remembers what was read, in the order in which it was read. */
export class Look {
  readonly #hash: Hash = createHash('sha256');

  /** Numbers, texts and revisions that say all that was read. */
  saw(...what: readonly (string | number | boolean | undefined)[]): void {
    this.#hash.update(`${JSON.stringify(what)}\n`);
  }

  /** A document by its id and revision. */
  sawDocument<D>(
    document: { readonly id: string; readonly revision: number; readonly value: D } | undefined,
  ): D | undefined {
    this.saw(document?.id, document?.revision);
    return document?.value;
  }

  get digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** Between two looks at what is being changed, in milliseconds. */
const PAUSE = 5;

/**
 * Reads until two looks in a row have seen the very same: then all of it was so at the moment between them, although it was read one
 * after the other. (Revisions are not repeated.) So nothing is taken for a difference that is only being changed.
 * @returns undefined when it is being changed all the time
 */
export async function settled<T>(attempts: number, read: (look: Look) => Promise<T>): Promise<T | undefined> {
  let before: string | undefined;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const look = new Look();
    const value = await read(look);
    if (look.digest === before) return value;
    if (before !== undefined) await delay(PAUSE);
    before = look.digest;
  }
  return undefined;
}
