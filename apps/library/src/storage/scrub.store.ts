import type { Collection, Documents, Stored } from '#libs/documents';
import { SCRUB_ID, type ScrubDocument, SCRUBS } from './documents.store.js';

/** How far the hashing of all blobs has come. */
export class ScrubStore {
  readonly #scrubs: Collection<ScrubDocument, never>;

  constructor(database: Documents) {
    this.#scrubs = database.collection<ScrubDocument, never>(SCRUBS);
  }

  get(): Promise<Stored<ScrubDocument> | undefined> {
    return this.#scrubs.get(SCRUB_ID);
  }

  /** Compare and set. @param before undefined: there was none. @returns false when another process was faster */
  async save(before: Stored<ScrubDocument> | undefined, value: ScrubDocument): Promise<boolean> {
    if (before === undefined) return (await this.#scrubs.insert(SCRUB_ID, value)) === 'inserted';
    return (await this.#scrubs.replace(before.id, before.revision, value)) === 'replaced';
  }
}
