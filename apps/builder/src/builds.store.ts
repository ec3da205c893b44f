import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { BuildStatus } from '#libs/contract';
import type { Collection, CollectionSpec, Stored } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

const Build = z.object({
  accountId: z.string(),
  username: z.string(),
  status: BuildStatus,
  submitTime: z.string(),
  startTime: z.string().optional(),
  completeTime: z.string().optional(),
  /** Text as it was submitted. */
  definition: z.string(),
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
  /** The exchanged tokens, sealed; gone when the build has ended. */
  tokens: z.string().optional(),
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
  },
} as const satisfies CollectionSpec<Build>;
type BuildIndex = keyof (typeof BUILDS)['indexes'];

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
  readonly #builds: Collection<Build, BuildIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#builds = database.collection<Build, BuildIndex>(BUILDS);
  }

  get(id: string): Promise<StoredBuild | undefined> {
    return this.#builds.get(id);
  }

  async create(id: string, build: Build): Promise<void> {
    if ((await this.#builds.insert(id, build)) === 'exists')
      throw new Error(`The build ${id} exists already`);
  }

  /** Changes a build unless `change` returns undefined; what is stored afterwards comes back. */
  update(id: string, change: (build: Build) => Build | undefined): Promise<Build | undefined> {
    return this.#builds.update(id, (build) => build && change(build));
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
}
