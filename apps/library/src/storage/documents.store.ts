import { z } from 'zod';
import type { CollectionSpec, Stored } from '#libs/documents';

/** A blob that somebody needs. It may be removed only by whoever turns the last claim into `removing`. */
const ContentDocument = z.object({
  size: z.number(),
  /** How many entities have an image of it, and how many uploads are under way. */
  claims: z.number(),
  state: z.enum(['claimed', 'removing']),
  /** When the removal began, in milliseconds since 1970. */
  removingSince: z.number().optional(),
});
export type ContentDocument = z.infer<typeof ContentDocument>;

/** That an entity has images of a content: it is counted once, however many there are. Its id is `entity/hash`. */
const HoldingDocument = z.object({
  size: z.number(),
  images: z.number(),
  /** The name of the account that brought it here first, whose quota it counts in; absent: nobody's. */
  account: z.string().optional(),
});
export type HoldingDocument = z.infer<typeof HoldingDocument>;

export type ContentIndex = 'byState';
export const CONTENTS = {
  name: 'contents',
  schema: ContentDocument,
  indexes: { byState: { fields: ['state'] } },
} as const satisfies CollectionSpec<ContentDocument>;
export type HoldingIndex = 'bySize' | 'byAccount';
export const HOLDINGS = {
  name: 'holdings',
  schema: HoldingDocument,
  /** For the check: all of them, in an order in which they stay. */
  indexes: { bySize: { fields: ['size'] }, byAccount: { fields: ['account'] } },
} as const satisfies CollectionSpec<HoldingDocument>;

export type Holding = Stored<HoldingDocument>;

export function holdingId(entity: string, hash: string): string {
  return `${entity}/${hash}`;
}

/**
 * What an account holds over all entities. Its id is the name of the account, which is nobody else's ever, and is all that the library
 * knows of somebody who is not asking.
 */
const AccountDocument = z.object({
  name: z.string(),
  /** Bytes; 0 = no limit; absent = that of all accounts. */
  quota: z.number().optional(),
  /** Bytes of all contents that it brought into an entity first, and that are still there. */
  size: z.number(),
  /** `size` and what its uploads under way have reserved: what the quota limits. */
  held: z.number(),
});
export type AccountDocument = z.infer<typeof AccountDocument>;
export type Account = Stored<AccountDocument>;
export type AccountIndex = 'byName';
export const ACCOUNTS = {
  name: 'accounts',
  schema: AccountDocument,
  /** For the check. */
  indexes: { byName: { fields: ['name'] } },
} as const satisfies CollectionSpec<AccountDocument>;

/** What is wrong with the bytes of a blob. */
export const DamageReason = z.enum(['wrong_hash', 'wrong_size', 'unreadable']);
export type DamageReason = z.infer<typeof DamageReason>;

/** A blob whose bytes were found to be others than its name says; its id is the hash. Goes when good bytes take their place. */
const DamageDocument = z.object({
  reason: DamageReason,
  /** Bytes that were found. */
  size: z.number().optional(),
  /** ISO: when it was found. */
  since: z.string(),
});
export type DamageDocument = z.infer<typeof DamageDocument>;
export type DamageIndex = 'byTime';
export const DAMAGES = {
  name: 'damagedBlobs',
  schema: DamageDocument,
  indexes: { byTime: { fields: ['since'] } },
} as const satisfies CollectionSpec<DamageDocument>;

/** How far the hashing of all blobs has come; there is one, {@link SCRUB_ID}. Times in milliseconds since 1970. */
const ScrubDocument = z.object({
  /** The digest of the last blob that was hashed in this round. */
  after: z.string().optional(),
  startedAt: z.number(),
  /** Absent while a round is under way. */
  endedAt: z.number().optional(),
  /** In this round. */
  blobs: z.number(),
  bytes: z.number(),
  /** The process that does it, and until when no other takes it over. */
  by: z.string(),
  until: z.number(),
});
export type ScrubDocument = z.infer<typeof ScrubDocument>;
export const SCRUB_ID = 'round';
export const SCRUBS = {
  name: 'scrubs',
  schema: ScrubDocument,
  indexes: {},
} as const satisfies CollectionSpec<ScrubDocument>;
