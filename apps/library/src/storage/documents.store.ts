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
const HoldingDocument = z.object({ size: z.number(), images: z.number() });
export type HoldingDocument = z.infer<typeof HoldingDocument>;

export type ContentIndex = 'byState';
export const CONTENTS = {
  name: 'contents',
  schema: ContentDocument,
  indexes: { byState: { fields: ['state'] } },
} as const satisfies CollectionSpec<ContentDocument>;
export type HoldingIndex = 'bySize';
export const HOLDINGS = {
  name: 'holdings',
  schema: HoldingDocument,
  /** For the check: all of them, in an order in which they stay. */
  indexes: { bySize: { fields: ['size'] } },
} as const satisfies CollectionSpec<HoldingDocument>;

export type Holding = Stored<HoldingDocument>;

export function holdingId(entity: string, hash: string): string {
  return `${entity}/${hash}`;
}
