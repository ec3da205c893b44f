import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec, Stored, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

/** A browser that is signed in. Its id is the hash of what the cookie holds: who reads the database cannot sign in with it. */
const SessionDocument = z.object({
  accountId: z.string(),
  /** How often sessions of the account had been ended when this one began: a later number ends it. */
  sessionsEnded: z.number().int(),
  /** Unix milliseconds. `renewedAt`: when this identifier was given out; `signedInAt`: when the password was typed. */
  signedInAt: z.number(),
  renewedAt: z.number(),
  usedAt: z.number(),
  expiresAt: z.number(),
  /** It goes on under another identifier, of which this is the hash; this one is for requests that were sent already. */
  replacedBy: z.string().optional(),
  /** What forms of this session carry. */
  formProof: z.string(),
});
export type SessionDocument = z.infer<typeof SessionDocument>;
export type StoredSession = Stored<SessionDocument>;

type Index = 'byAccount' | 'byExpiry';
const SESSIONS = {
  name: 'sessions',
  schema: SessionDocument,
  indexes: { byAccount: { fields: ['accountId', 'expiresAt'] }, byExpiry: { fields: ['expiresAt'] } },
} as const satisfies CollectionSpec<SessionDocument>;

/** Sessions of web pages, by the hash of their identifier. */
@Injectable()
export class SessionsStore {
  readonly #database: Database;
  readonly #sessions: Collection<SessionDocument, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database;
    this.#sessions = database.collection<SessionDocument, Index>(SESSIONS);
  }

  get(id: string): Promise<StoredSession | undefined> {
    return this.#sessions.get(id);
  }

  /** @returns false when somebody was faster */
  async write(writes: readonly Write[]): Promise<boolean> {
    return (await this.#database.commit(writes)).ok;
  }

  creation(id: string, session: SessionDocument): Write {
    return this.#sessions.write.insert(id, session);
  }

  change({ id, revision }: StoredSession, session: SessionDocument): Write {
    return this.#sessions.write.replace(id, revision, session);
  }

  /** Fails when somebody has removed or changed it since. */
  removal({ id, revision }: StoredSession): Write {
    return this.#sessions.write.delete(id, revision);
  }

  /** Sessions of an account, those that end first in front. */
  async ofAccount(accountId: string, limit: number): Promise<readonly StoredSession[]> {
    return (await this.#sessions.scan('byAccount', { equal: [accountId], limit })).items;
  }

  /** Sessions that ended before `time` (Unix milliseconds). */
  async expiredBefore(time: number, limit: number): Promise<readonly StoredSession[]> {
    return (await this.#sessions.scan('byExpiry', { before: time, limit })).items;
  }
}
