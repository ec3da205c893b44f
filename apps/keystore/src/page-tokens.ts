import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DomainError } from '#libs/core';
import { readSmallFile, writeOnce } from '#libs/server';
import { LIMITS } from './limits.js';

const FILE = 'page-token.key';
const KEY = /^[0-9a-f]{64}$/;
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
  constructor(private readonly key: Buffer) {}

  /**
   * Reads the key in a folder, which is made at the first start: tokens stay good after a restart.
   * @throws DomainError `unavailable` for a file that is no such key
   */
  static async open(folder: string): Promise<PageTokens> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, FILE);
    const text =
      (await readSmallFile(file)) ?? (await writeOnce(file, `${randomBytes(32).toString('hex')}\n`));
    if (!KEY.test(text.trim()))
      throw new DomainError('unavailable', `${file} is damaged: expected 64 hexadecimal digits`, {
        reason: 'bad_page_key',
        remedy: 'Remove the file; listings that are being read have to begin again.',
      });
    return new PageTokens(Buffer.from(text.trim(), 'hex'));
  }

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
