import { z } from 'zod';
import type { CollectionSpec, Stored } from '#libs/documents';

/** That an account likes a container; its id is `account/container`, so that there is one. */
const StarDocument = z.object({
  /** Ids. */
  account: z.string(),
  container: z.string(),
  /** ISO. */
  at: z.string(),
});
export type StarDocument = z.infer<typeof StarDocument>;
export type Star = Stored<StarDocument>;

export type StarIndex = 'byAccount' | 'byContainer';
export const STARS = {
  name: 'stars',
  schema: StarDocument,
  indexes: { byAccount: { fields: ['account', 'at'] }, byContainer: { fields: ['container'] } },
} as const satisfies CollectionSpec<StarDocument>;

export function starId(account: string, container: string): string {
  return `${account}/${container}`;
}
