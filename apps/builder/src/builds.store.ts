import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { BuildStatus } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { Collection, CollectionSpec, Stored, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';
import { LIMITS } from './limits.js';

const Build = z.object({
  accountId: z.string(),
  username: z.string(),
  status: BuildStatus,
  submitTime: z.string(),
  startTime: z.string().optional(),
  completeTime: z.string().optional(),
  /** `entity/collection/container`. */
  place: z.string(),
  tags: z.array(z.string()),
  architecture: z.string(),
  /** Library for bases that name none. */
  libraryUrl: z.string().optional(),
  contextDigest: z.string().optional(),
  workingDirectory: z.string(),
  imageSize: z.number().optional(),
  imageChecksum: z.string().optional(),
  failureReason: z.string().optional(),
  deleted: z.boolean(),
  /** Nothing will be added to the log: streams may end. Later than the final status, which clients ask for right after. */
  logComplete: z.boolean(),
  attempt: z.number(),
  /** The try that is under way: of all workers only its own is heard. */
  tryId: z.string().optional(),
  /** The exchanged tokens, sealed; gone when the build has ended. */
  tokens: z.string().optional(),
  /** When they are good no more, and the token that they are good with. */
  tokensExpireAt: z.string().optional(),
  tokenId: z.string().optional(),
  originTokenId: z.string().optional(),
  /** The key that signed that token, and the exchanged ones unless it was followed by another at that moment. */
  keyId: z.string().optional(),
});
export type Build = z.infer<typeof Build>;
export type StoredBuild = Stored<Build>;

const BUILDS = {
  name: 'builds',
  schema: Build,
  indexes: {
    byTime: { fields: ['submitTime'] },
    byAccount: { fields: ['accountId', 'submitTime'] },
    byStatus: { fields: ['status', 'submitTime'] },
    byAccountAndStatus: { fields: ['accountId', 'status'] },
  },
} as const satisfies CollectionSpec<Build>;
type BuildIndex = keyof (typeof BUILDS)['indexes'];

const Definition = z.object({
  /** Text as it was submitted. */
  text: z.string(),
});
type Definition = z.infer<typeof Definition>;

/** Apart from their builds: they may be large, and lists and counts must not be. */
const DEFINITIONS = {
  name: 'definitions',
  schema: Definition,
  indexes: {},
} as const satisfies CollectionSpec<Definition, never>;

export interface ListBuilds {
  /** Undefined: those of everybody. */
  readonly accountId: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly limit: number;
}

/** Builds by id. */
@Injectable()
export class BuildsStore {
  readonly #database: Database;
  readonly #builds: Collection<Build, BuildIndex>;
  readonly #definitions: Collection<Definition, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database;
    this.#builds = database.collection<Build, BuildIndex>(BUILDS);
    this.#definitions = database.collection<Definition, never>(DEFINITIONS);
  }

  get(id: string): Promise<StoredBuild | undefined> {
    return this.#builds.get(id);
  }

  /** The text of a build's definition; empty when there is none. */
  async definition(id: string): Promise<string> {
    return (await this.#definitions.get(id))?.value.text ?? '';
  }

  /** Definitions by the ids of their builds; not all of them when they are large. */
  async definitions(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = await this.#definitions.getMany(ids);
    return new Map(found.map(({ id, value }) => [id, value.text]));
  }

  /** A new build, its definition and the entry of the audit trail, all or none. */
  async create(id: string, build: Build, definition: string, entry: Write): Promise<void> {
    const result = await this.#database.commit([
      this.#definitions.write.insert(id, { text: definition }),
      this.#builds.write.insert(id, build),
      entry,
    ]);
    if (!result.ok) throw new Error(`The build ${id} exists already`);
  }

  /** Changes a build unless `change` returns undefined; what is stored afterwards comes back. */
  update(id: string, change: (build: Build) => Build | undefined): Promise<Build | undefined> {
    return this.#builds.update(id, (build) => build && change(build));
  }

  /**
   * The same, with an entry of the audit trail in the same commit.
   * @param entry makes it from what the build becomes
   * @throws DomainError `conflict` after many lost races
   */
  async record(
    id: string,
    change: (build: Build) => Build | undefined,
    entry: (build: Build) => Write,
  ): Promise<Build | undefined> {
    for (let attempt = 0; attempt < LIMITS.changeAttempts; attempt += 1) {
      const before = await this.#builds.get(id);
      const after = before && change(before.value);
      if (before === undefined || after === undefined) return before?.value;
      const { ok } = await this.#database.commit([
        this.#builds.write.replace(id, before.revision, after),
        entry(after),
      ]);
      if (ok) return after;
    }
    throw new DomainError('conflict', 'Too many others are changing this build: try again', {
      reason: 'busy',
    });
  }

  /** Newest first. */
  async list({ accountId, from, to, limit }: ListBuilds): Promise<readonly StoredBuild[]> {
    const range = {
      ...(from !== undefined && { from }),
      ...(to !== undefined && { before: to }),
      limit,
      direction: 'descending' as const,
    };
    const found =
      accountId === undefined
        ? await this.#builds.scan('byTime', range)
        : await this.#builds.scan('byAccount', { equal: [accountId], ...range });
    return found.items;
  }

  /** Builds in one state, oldest first: for going on after a restart. */
  async withStatus(status: BuildStatus, limit: number): Promise<readonly StoredBuild[]> {
    return (await this.#builds.scan('byStatus', { equal: [status], limit })).items;
  }

  /** How many builds are in one state; counted up to `limit`. */
  async count(status: BuildStatus, limit: number): Promise<number> {
    return (await this.#builds.keys('byStatus', { equal: [status], limit })).length;
  }

  /** How many builds of an account are waiting or running; counted up to `limit`. */
  async open(accountId: string, limit: number): Promise<number> {
    const counts = await Promise.all(
      (['Pending', 'InProgress'] as const).map(
        async (status) =>
          (await this.#builds.scan('byAccountAndStatus', { equal: [accountId, status], limit })).items.length,
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }
}
