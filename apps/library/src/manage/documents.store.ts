import { z } from 'zod';
import type { CollectionSpec } from '#libs/documents';

/** Which process does something that one does for all of them. */
const LeaseDocument = z.object({
  by: z.string(),
  /** Milliseconds since 1970: from then on another one may. */
  until: z.number(),
});
export type LeaseDocument = z.infer<typeof LeaseDocument>;

export const LEASES = {
  name: 'leases',
  schema: LeaseDocument,
  indexes: {},
} as const satisfies CollectionSpec<LeaseDocument>;
