import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

const Hold = z.object({
  digest: z.string(),
  /** An account, or a build that needs the context. */
  holder: z.string(),
  size: z.number(),
  /** Whether this holder's own upload arrived whole. */
  uploaded: z.boolean(),
  expiresAt: z.string(),
  /** The token with which it was announced: its end is the end of the address for the upload. */
  tokenId: z.string().optional(),
  originTokenId: z.string().optional(),
  keyId: z.string().optional(),
});
export type Hold = z.infer<typeof Hold>;

const HOLDS = {
  name: 'context-holds',
  schema: Hold,
  indexes: {
    byDigest: { fields: ['digest'] },
    byExpiry: { fields: ['expiresAt'] },
    byHolder: { fields: ['holder', 'expiresAt'] },
  },
} as const satisfies CollectionSpec<Hold>;

const idOf = (digest: string, holder: string): string => `${digest} ${holder}`;

/**
 * Who needs which build context. A context is kept while anybody holds it, so that nobody can take away the identical one of
 * somebody else (builder contract §3.11).
 */
@Injectable()
export class ContextsStore {
  readonly #holds: Collection<Hold, keyof (typeof HOLDS)['indexes']>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#holds = database.collection<Hold, keyof (typeof HOLDS)['indexes']>(HOLDS);
  }

  async get(digest: string, holder: string): Promise<Hold | undefined> {
    return (await this.#holds.get(idOf(digest, holder)))?.value;
  }

  put(hold: Hold): Promise<void> {
    return this.#holds.put(idOf(hold.digest, hold.holder), hold);
  }

  async release(digest: string, holder: string): Promise<void> {
    await this.#holds.delete(idOf(digest, holder));
  }

  /** Whether anybody but `holder` holds it. */
  async isHeldByOthers(digest: string, holder: string): Promise<boolean> {
    const { items } = await this.#holds.scan('byDigest', { equal: [digest], limit: 2 });
    return items.some(({ value }) => value.holder !== holder);
  }

  /** What somebody holds; what was asked for last comes first. */
  async ofHolder(holder: string, limit: number): Promise<readonly Hold[]> {
    const found = await this.#holds.scan('byHolder', { equal: [holder], limit, direction: 'descending' });
    return found.items.map(({ value }) => value);
  }

  /** Holds that ended before `now`. */
  async expired(now: string, limit: number): Promise<readonly Hold[]> {
    return (await this.#holds.scan('byExpiry', { before: now, limit })).items.map(({ value }) => value);
  }
}
