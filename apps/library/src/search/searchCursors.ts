import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { DomainError } from '#libs/core';
import { LIMITS } from '../limits.js';

const Place = z.object({
  source: z.number(),
  audience: z.string(),
  cursor: z.string().optional(),
  behind: z.string().optional(),
  term: z.string(),
  id: z.string(),
});
/** How a search of one kind goes on: with which words, in which order, and from where; null: it is over. */
const KindState = z.object({ words: z.array(z.string()), place: Place.optional() }).nullable();
const SearchState = z.object({
  entity: KindState,
  collection: KindState,
  container: KindState,
  /** Images by the containers that they lie in, and by themselves. */
  inContainers: KindState,
  image: KindState,
});
export type KindState = z.output<typeof KindState>;
export type SearchState = z.output<typeof SearchState>;

const [IV, TAG] = [12, 16];

/**
 * Where a search goes on, for the client to give back. Sealed: it names the last candidate that was looked at, which may be none that
 * the reader was shown, and nobody chooses by it what is looked at.
 */
export class SearchCursors {
  readonly #key: Buffer;

  /** @param secret from which the key of this one purpose is derived */
  constructor(secret: Buffer) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'scs-search-cursor', 32));
  }

  /** @param query whatever makes up the search and who asks, always in the same form */
  write(query: string, state: SearchState): string {
    const iv = randomBytes(IV);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(Buffer.from(query));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(state)), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** @throws DomainError `bad_request` for one that was not given for this search */
  read(query: string, cursor: string): SearchState {
    try {
      if (cursor.length > LIMITS.searchCursor) throw new RangeError('too long');
      const bytes = Buffer.from(cursor, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV), {
        authTagLength: TAG,
      })
        .setAAD(Buffer.from(query))
        .setAuthTag(bytes.subarray(IV, IV + TAG));
      const text = Buffer.concat([decipher.update(bytes.subarray(IV + TAG)), decipher.final()]);
      return SearchState.parse(JSON.parse(text.toString()));
    } catch (cause) {
      throw new DomainError('bad_request', 'The cursor does not belong to this search', {
        reason: 'invalid_cursor',
        remedy: 'Search again without it.',
        cause,
      });
    }
  }
}
