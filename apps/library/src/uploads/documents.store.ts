import { z } from 'zod';
import type { CollectionSpec, Stored } from '#libs/documents';

/**
 * An upload, and the space that it has reserved in its entity.
 * `open` → `complete`, for parts by way of `storing` (checked, about to become a blob); or → `ended`, when it was given up. From
 * the first to the last it claims the content.
 */
const UploadDocument = z.object({
  image: z.string(),
  container: z.string(),
  entity: z.string(),
  hash: z.string(),
  kind: z.enum(['single', 'multipart']),
  size: z.number(),
  partSize: z.number(),
  state: z.enum(['open', 'storing', 'complete', 'ended']),
  /** Bytes of the quota of its entity that are held for it. */
  reserved: z.number(),
  /** The same of the quota of its account, which is the one of `username`; uploads of before know none. */
  accountReserved: z.number().optional(),
  account: z.string(),
  username: z.string(),
  /** Token ids, of the one that began it or went on with it last: revoking either ends the upload's signed URLs. */
  token: z.string(),
  originToken: z.string(),
  /** The key that signed it: it ends the URLs as well. */
  tokenKey: z.string().optional(),
  /** The service that exchanged the token, for an exchanged one. */
  via: z.string().optional(),
  createdAt: z.number(),
  /** Milliseconds since 1970: when it became complete. */
  doneAt: z.number().optional(),
  /** Milliseconds since 1970: when the sweep looks at it. */
  expiresAt: z.number(),
});
export type UploadDocument = z.infer<typeof UploadDocument>;
export type Upload = Stored<UploadDocument>;

const PartDocument = z.object({
  upload: z.string(),
  number: z.number(),
  /** What the client gives back at the end: it names these bytes and not those of an earlier attempt. */
  token: z.string(),
  receivedAt: z.number(),
});
export type PartDocument = z.infer<typeof PartDocument>;

export type UploadIndex = 'byImage' | 'byState' | 'byExpiry' | 'byDone';
export const UPLOADS = {
  name: 'uploads',
  schema: UploadDocument,
  indexes: {
    byImage: { fields: ['image', 'createdAt'] },
    byState: { fields: ['state'] },
    byExpiry: { fields: ['expiresAt'] },
    /** Complete ones alone. */
    byDone: { fields: ['originToken', 'doneAt'] },
  },
} as const satisfies CollectionSpec<UploadDocument>;

export type PartIndex = 'byNumber' | 'byTime';
export const PARTS = {
  name: 'uploadParts',
  schema: PartDocument,
  indexes: { byNumber: { fields: ['upload', 'number'] }, byTime: { fields: ['upload', 'receivedAt'] } },
} as const satisfies CollectionSpec<PartDocument>;
