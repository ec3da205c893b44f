import { z } from 'zod';
import type { CollectionSpec, Stored } from '#libs/documents';

const ImageDocument = z.object({
  /** Id. */
  container: z.string(),
  hash: z.string(),
  description: z.string(),
  customData: z.string(),
  /** The bytes are there, checked and durable. */
  uploaded: z.boolean(),
  /** Bytes; 0 until then, like everything below. */
  size: z.number(),
  format: z.enum(['sif', 'other']),
  arch: z.string().optional(),
  signed: z.boolean(),
  encrypted: z.boolean(),
  /** That its signatures name, lower-case: no proof of anything. */
  fingerprints: z.array(z.string()),
  /** Of these, who has signed all of it with a key that was good at {@link checkedAt} (ADR 26). */
  signers: z.array(z.string()).optional(),
  /** ISO: when its signatures were looked at last. */
  checkedAt: z.string().optional(),
  /** What the file says of itself: some of it. */
  labels: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
  /** The last day on which somebody pulled it. */
  pulledAt: z.string().optional(),
  createdBy: z.string(),
  createdAt: z.string(),
});
export type ImageDocument = z.infer<typeof ImageDocument>;
export type Image = Stored<ImageDocument>;

/** A container has at most one image of a hash. */
const HashDocument = z.object({ image: z.string() });
export type HashDocument = z.infer<typeof HashDocument>;

export type ImageIndex = 'byContainer' | 'byHash';
export const IMAGES = {
  name: 'images',
  schema: ImageDocument,
  indexes: { byContainer: { fields: ['container', 'createdAt'] }, byHash: { fields: ['hash'] } },
} as const satisfies CollectionSpec<ImageDocument>;
export type HashIndex = 'byImage';
export const HASHES = {
  name: 'imageHashes',
  schema: HashDocument,
  /** For the check: all of them. */
  indexes: { byImage: { fields: ['image'] } },
} as const satisfies CollectionSpec<HashDocument>;

const TagDocument = z.object({
  container: z.string(),
  arch: z.string(),
  tag: z.string(),
  /** Id. */
  image: z.string(),
  updatedBy: z.string(),
  updatedAt: z.string(),
});
export type TagDocument = z.infer<typeof TagDocument>;
export type Tag = Stored<TagDocument>;

export type TagIndex = 'byContainer' | 'byImage';
export const TAGS = {
  name: 'tags',
  schema: TagDocument,
  indexes: {
    byContainer: { fields: ['container', 'tag', 'arch'] },
    byImage: { fields: ['image', 'tag', 'arch'] },
  },
} as const satisfies CollectionSpec<TagDocument>;

/** The id of a look-up by hash. */
export function hashId(container: string, hash: string): string {
  return `${container}/${hash}`;
}

export function tagId({ container, arch, tag }: Pick<TagDocument, 'container' | 'arch' | 'tag'>): string {
  return `${container}/${arch}/${tag}`;
}
