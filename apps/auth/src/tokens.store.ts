import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { TokenUse } from '#libs/contract';
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
  /** The same as `expiresAt` until the token is revoked: with it, it is in the index of valid tokens. */
  validUntil: z.string().optional(),
  lastUsed: TokenUse.optional(),
});
export type TokenDocument = z.infer<typeof TokenDocument>;
export type StoredToken = Stored<TokenDocument>;

type Index = 'byAccount' | 'byAccountValid' | 'byExpiry';
const TOKENS = {
  name: 'tokens',
  schema: TokenDocument,
  indexes: {
    byAccount: { fields: ['accountId', 'createdAt'] },
    /** Without those that were revoked. */
    byAccountValid: { fields: ['accountId', 'validUntil'] },
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

  /** The tokens of an account that were not revoked and end after `time`, the first to end first. */
  async valid(accountId: string, time: string, limit: number): Promise<readonly StoredToken[]> {
    const scan = { equal: [accountId], from: time, limit } as const;
    return (await this.#tokens.scan('byAccountValid', scan)).items;
  }

  /** Keeps a use, unless one after `since` is kept already or there is no such token. */
  async used(id: string, use: TokenUse, since: string): Promise<void> {
    await this.#tokens.update(id, (token) =>
      token === undefined || (token.lastUsed !== undefined && token.lastUsed.time > since)
        ? undefined
        : { ...token, lastUsed: use },
    );
  }

  /** Tokens that ended before `time`, oldest first. */
  async expiredBefore(time: string, limit: number): Promise<readonly StoredToken[]> {
    return (await this.#tokens.scan('byExpiry', { before: time, limit })).items;
  }

  creation(id: string, token: TokenDocument): Write {
    return this.#tokens.write.insert(id, token);
  }

  revocation({ id, revision, value }: StoredToken, revokedAt: string): Write {
    const { validUntil: _ended, ...rest } = value;
    return this.#tokens.write.replace(id, revision, { ...rest, revokedAt });
  }

  async delete(id: string): Promise<void> {
    await this.#tokens.delete(id);
  }
}
