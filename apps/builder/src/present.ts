import type { BuildMetadata } from '#libs/contract';
import type { Build, StoredBuild } from './builds.store.js';
import { referenceOf } from './destination.js';

export interface Addresses {
  /** Of the builder, as clients reach it. */
  readonly builderUrl: string;
  readonly libraryUrl: string;
}

/**
 * A build as clients see it (builder contract §3.3). Times that are not known are left out.
 * @param definition undefined: left out, where too many of them would be too much
 */
export function presentBuild(
  { id, value: build }: Pick<StoredBuild, 'id' | 'value'>,
  addresses: Addresses,
  definition: string | undefined,
): BuildMetadata {
  return {
    id,
    createdBy: build.accountId,
    submitTime: build.submitTime,
    ...optional(build, ['startTime', 'completeTime', 'imageSize', 'imageChecksum', 'failureReason']),
    isComplete: isOver(build),
    status: build.deleted ? 'Deleted' : build.status,
    libraryRef: referenceOf(build),
    libraryURL: addresses.libraryUrl,
    wsURL: `${addresses.builderUrl.replace(/^http/, 'ws')}/v1/build-ws/${id}`,
    ...(definition !== undefined && { buildRecipe: definition }),
    arch: build.architecture,
    deleted: build.deleted,
  };
}

/** Nothing more will happen to the build: it succeeded, failed or was cancelled. */
export function isOver({ status }: Pick<Build, 'status'>): boolean {
  return status === 'Complete' || status === 'Cancelled' || status === 'Deleted';
}

function optional<K extends keyof Build>(build: Build, keys: readonly K[]): Partial<Pick<Build, K>> {
  return Object.fromEntries(
    keys.flatMap((key) => (build[key] === undefined ? [] : [[key, build[key]]])),
  ) as Partial<Pick<Build, K>>;
}
