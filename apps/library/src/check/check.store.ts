import type { LibraryCheckPart } from '#libs/contract';
import { DomainError } from '#libs/core';
import { AccountsCheck } from './accounts.store.js';
import { ContentsCheck } from './contents.store.js';
import { ImagesCheck } from './images.store.js';
import { EventsCheck } from './events.store.js';
import { ObjectsCheck } from './objects.store.js';
import { Rehash } from './rehash.store.js';
import { type CheckOptions, type CheckParts, confirm, type Walk } from './room.store.js';
import { SignersCheck } from './signers.store.js';
import { StarsCheck } from './stars.store.js';
import { UploadsCheck } from './uploads.store.js';
import { UsageCheck } from './usage.store.js';
import { WebhooksCheck } from './webhooks.store.js';

/** A part of a check, and where the next one begins; undefined at the end. */
export interface CheckedPart extends LibraryCheckPart {
  readonly next: string | undefined;
}

/**
 * Compares everything that the library has written down with everything else, and with the blobs, both ways. What looks different is
 * looked at again by itself, until what it shows has stood still: others are pushing and deleting meanwhile. What leads to objects and
 * contents is put right first, and what is counted at last. Knows no framework: `scs library check --offline` uses it too.
 */
export class LibraryCheck {
  readonly #parts: CheckParts;
  readonly #rehash: Rehash;
  readonly #walks: readonly Walk[];

  constructor(parts: CheckParts) {
    this.#parts = parts;
    this.#rehash = new Rehash(parts.health);
    const contents = new ContentsCheck(parts, this.#rehash);
    this.#walks = [
      new ObjectsCheck(parts),
      new ImagesCheck(parts, contents),
      new SignersCheck(parts),
      contents,
      new UploadsCheck(parts),
      new StarsCheck(parts),
      new WebhooksCheck(parts),
      new EventsCheck(parts),
      new UsageCheck(parts),
      new AccountsCheck(parts),
    ].flatMap(({ walks }) => walks);
  }

  /**
   * Checks one part.
   * @param from what the part before gave as `next`
   * @throws DomainError `bad_request` for a place that none gave; whatever keeps the database or the store from answering
   */
  async part(from: string | undefined, options: CheckOptions): Promise<CheckedPart> {
    const { walk, place } = this.#placeOf(from);
    const {
      objects = 0,
      images = 0,
      blobs = 0,
      bytes,
      suspects,
      hashing,
      next,
    } = await walk.part(place, options);
    const problems: LibraryCheckPart['problems'] = [];
    const unsettled: string[] = [];
    for (const suspect of suspects) {
      const found = await confirm(this.#parts, suspect, options);
      if (found === undefined) unsettled.push(suspect.name);
      else problems.push(...found);
    }
    const following = this.#walks[this.#walks.indexOf(walk) + 1];
    return {
      objects,
      images,
      blobs,
      bytes: { documents: 0, store: 0, hashed: 0, ...bytes, difference: differenceOf(problems) },
      problems,
      unsettled,
      ...(hashing === undefined ? {} : { hashing }),
      next: next !== undefined ? `${walk.name} ${next}` : following && `${following.name} `,
    };
  }

  /** Stops what is still being hashed. */
  stop(): void {
    this.#rehash.stop();
  }

  #placeOf(text: string | undefined): { walk: Walk; place: string | undefined } {
    const [, name, place] = /^(\w+) (.*)$/s.exec(text ?? `${this.#walks[0]?.name} `) ?? [];
    const walk = this.#walks.find((one) => one.name === name);
    if (walk === undefined)
      throw new DomainError('bad_request', 'Expected a cursor that a check has given', {
        reason: 'bad_cursor',
      });
    return { walk, place: place === '' ? undefined : place };
  }
}

/** Bytes that are missing, too many, or others. */
function differenceOf(problems: LibraryCheckPart['problems']): number {
  return problems.reduce((sum, { kind, recorded = 0, counted = 0 }) => {
    const isBytes = kind === 'blob_missing' || kind === 'blob_wrong_size' || kind === 'blob_stray';
    if (isBytes) return sum + Math.abs(recorded - counted);
    return kind === 'blob_damaged' ? sum + counted : sum;
  }, 0);
}
