import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { DomainError } from '#libs/core';
import { LIMITS } from './limits.js';

const MAC_BYTES = 16;

/** Where a listing goes on: behind what the last page ended with. */
const Place = z.strictObject({
  /** Which reading of the search term it is. */
  reading: z.number(),
  /** Which of its handles is walked along. */
  walked: z.number(),
  place: z.number(),
  fingerprint: z.string(),
});
export type PagePlace = z.infer<typeof Place>;

/**
 * Page tokens of listings (keystore contract §1.8). They say where to go on and nothing else, are good for one query alone, and
 * cannot be made by anybody else: what one could ask for with them otherwise would be one's own choice of cost.
 */
export class PageTokens {
  /** @param key of this service alone, the same after a restart and in every process */
  constructor(private readonly key: Buffer) {}

  /** @param query whatever makes up the query, always in the same form */
  write(query: string, place: PagePlace): string {
    const content = Buffer.from(JSON.stringify(place));
    return Buffer.concat([this.#mac(query, content), content]).toString('base64url');
  }

  /** @throws DomainError `bad_request` for a token that was not made for this query */
  read(query: string, token: string): PagePlace {
    const bytes = token.length > LIMITS.pageToken ? Buffer.alloc(0) : Buffer.from(token, 'base64url');
    const content = bytes.subarray(MAC_BYTES);
    // The same bytes can be written in several ways, of which one is ours.
    const whole = bytes.length > MAC_BYTES && bytes.toString('base64url') === token;
    if (!whole || !timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.#mac(query, content)))
      throw new DomainError('bad_request', 'The page token does not belong to this search', {
        reason: 'bad_page_token',
        remedy: 'Search again without it.',
      });
    return Place.parse(JSON.parse(content.toString()));
  }

  #mac(query: string, content: Buffer): Buffer {
    return createHmac('sha256', this.key)
      .update(`scs-page-token\n${Buffer.byteLength(query)}\n${query}`)
      .update(content)
      .digest()
      .subarray(0, MAC_BYTES);
  }
}
