import { z } from 'zod';
import { SignatureState } from '#libs/contract';
import type { CollectionSpec, Stored } from '#libs/documents';

/** What became of one signature object of an image. */
const SignatureRecord = z.object({
  /** Of the object in the file, and the group that it is for. */
  id: z.number(),
  group: z.number().optional(),
  /** Of the primary key that it names, lower-case; proved by `good` alone. */
  fingerprint: z.string().optional(),
  state: SignatureState,
  signedAt: z.string().optional(),
  /** ISO: when the key ends. */
  until: z.string().optional(),
});
export type SignatureRecord = z.infer<typeof SignatureRecord>;

/**
 * What is known of the signatures of an image; its id is that of the image. Times without a word are milliseconds since 1970.
 * There is none of an image without signatures.
 */
const SignedImageDocument = z.object({
  /** Its id again. */
  image: z.string(),
  /** When they are checked again; absent: when a key changes. */
  due: z.number().optional(),
  /** How often in a row the keystore could not be asked. */
  attempts: z.number(),
  /** A key has changed since they were checked: what is known is in doubt. */
  changed: z.boolean().optional(),
  /** ISO; absent until all keys could be asked for. */
  checkedAt: z.string().optional(),
  /** Of the data of its objects, by algorithm and place: bytes are read once, keys change. */
  digests: z.record(z.string(), z.string()),
  signatures: z.array(SignatureRecord),
  /** Who signed all of it, lower-case, and until when that counts if nothing happens. */
  signers: z.array(z.object({ fingerprint: z.string(), until: z.number().optional() })),
});
export type SignedImageDocument = z.infer<typeof SignedImageDocument>;
export type SignedImage = Stored<SignedImageDocument>;

export type SignedImageIndex = 'byDue' | 'byImage';
export const SIGNED_IMAGES = {
  name: 'signedImages',
  schema: SignedImageDocument,
  /** By image for the check: all of them. */
  indexes: { byDue: { fields: ['due'] }, byImage: { fields: ['image'] } },
} as const satisfies CollectionSpec<SignedImageDocument>;

/** What is known of signatures, without saying of which image. */
export type Knowledge = Omit<SignedImageDocument, 'image'>;

/** Nobody has looked at them. */
export const UNKNOWN: Knowledge = { attempts: 0, digests: {}, signatures: [], signers: [] };

/** That an image has a signature that names this key, good or not: what is looked at when the key changes. Its id is `fingerprint/image`. */
const ClaimDocument = z.object({ fingerprint: z.string(), image: z.string() });
export type ClaimDocument = z.infer<typeof ClaimDocument>;
export type ClaimIndex = 'byKey';
export const CLAIMS = {
  name: 'signerClaims',
  schema: ClaimDocument,
  indexes: { byKey: { fields: ['fingerprint', 'image'] } },
} as const satisfies CollectionSpec<ClaimDocument>;

export function claimId({ fingerprint, image }: ClaimDocument): string {
  return `${fingerprint}/${image}`;
}

/** How far the feed of the keystore has been read; there is one, {@link FEED_ID}. */
const FeedDocument = z.object({ after: z.number() });
export type FeedDocument = z.infer<typeof FeedDocument>;
export const FEED_ID = 'keys';
export const FEED = {
  name: 'keyFeed',
  schema: FeedDocument,
  indexes: {},
} as const satisfies CollectionSpec<FeedDocument>;
