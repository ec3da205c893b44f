import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec, Stored, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

/** What is kept of a token: never the token. Its id is the document's id and the token's `jti`. */
const TokenDocument = z.object({
  accountId: z.string(),
  username: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  createdAt: z.string(),
  expiresAt: z.string(),
  revokedAt: z.string().optional(),
});
export type TokenDocument = z.infer<typeof TokenDocument>;
export type StoredToken = Stored<TokenDocument>;

type Index = 'byAccount' | 'byAccountExpiry' | 'byExpiry';
const TOKENS = {
  name: 'tokens',
  schema: TokenDocument,
  indexes: {
    byAccount: { fields: ['accountId', 'createdAt'] },
    byAccountExpiry: { fields: ['accountId', 'expiresAt'] },
    byExpiry: { fields: ['expiresAt'] },
  },
} as const satisfies CollectionSpec<TokenDocument>;

/** Tokens by id, and in the order in which an account made them. */
@Injectable()
export class TokensStore {
  readonly #tokens: Collection<TokenDocument, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#tokens = database.collection<TokenDocument, Index>(TOKENS);
  }

  get(id: string): Promise<StoredToken | undefined> {
    return this.#tokens.get(id);
  }

  async insert(id: string, token: TokenDocument): Promise<void> {
    if ((await this.#tokens.insert(id, token)) === 'exists') throw new Error('A token id came up twice');
  }

  /** Newest first. */
  list(accountId: string, options: { readonly limit: number; readonly cursor?: string | undefined }) {
    const { limit, cursor } = options;
    return this.#tokens.scan('byAccount', {
      equal: [accountId],
      direction: 'descending',
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
  }

  /** How many tokens of the account end after `now`, counted up to `limit`. */
  async countUnexpired(accountId: string, now: string, limit: number): Promise<number> {
    const { items } = await this.#tokens.scan('byAccountExpiry', { equal: [accountId], from: now, limit });
    return items.length;
  }

  /** Tokens that ended before `time`, oldest first. */
  async expiredBefore(time: string, limit: number): Promise<readonly StoredToken[]> {
    return (await this.#tokens.scan('byExpiry', { before: time, limit })).items;
  }

  creation(id: string, token: TokenDocument): Write {
    return this.#tokens.write.insert(id, token);
  }

  revocation({ id, revision, value }: StoredToken, revokedAt: string): Write {
    return this.#tokens.write.replace(id, revision, { ...value, revokedAt });
  }

  async delete(id: string): Promise<void> {
    await this.#tokens.delete(id);
  }
}
