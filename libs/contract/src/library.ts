import { z } from 'zod';
import { envelope } from './envelope.js';

/** Texts that clients may put into an object, in characters. */
export const LIBRARY_TEXT_LIMITS = {
  name: 255,
  description: 8192,
  fullDescription: 65_536,
  customData: 65_536,
} as const;

/**
 * Bodies of stock clients carry the whole model with zero values (`""`, `false`, `null`): a missing or null member is its
 * zero value, members that a client cannot set are dropped (library contract §1 rule 7).
 */
const text = (maximum: number) =>
  z
    .string()
    .max(maximum)
    .nullish()
    .transform((value) => value ?? '');
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const count = z
  .int()
  .min(0)
  .nullish()
  .transform((value) => value ?? 0);
const name = text(LIBRARY_TEXT_LIMITS.name);
const description = text(LIBRARY_TEXT_LIMITS.description);
const customData = text(LIBRARY_TEXT_LIMITS.customData);
const id = z.string().max(64);

/** `POST /v1/entities` (library contract §5 no. 6). `quota` counts from administrators only. */
export const EntityRequest = z.object({ name, description, customData, defaultPrivate: flag, quota: count });
export type EntityRequest = z.output<typeof EntityRequest>;

/** `POST /v1/collections` (no. 8); `entity` is an id. */
export const CollectionRequest = z.object({ name, description, customData, entity: id, private: flag });
export type CollectionRequest = z.output<typeof CollectionRequest>;

/** `POST /v1/containers` (no. 10); `collection` is an id. */
export const ContainerRequest = z.object({
  name,
  description,
  fullDescription: text(LIBRARY_TEXT_LIMITS.fullDescription),
  customData,
  collection: id,
  private: flag,
  readOnly: flag,
});
export type ContainerRequest = z.output<typeof ContainerRequest>;

/** `POST /v1/images` (no. 12); `container` is an id. */
export const ImageRequest = z.object({ hash: z.string().max(100), description, customData, container: id });
export type ImageRequest = z.output<typeof ImageRequest>;

/** `POST /v1/tags/{container}` (no. 16): the keys are capitalised (rule 6). */
export const TagRequest = z.object({ Tag: z.string().max(255), ImageID: id });
export type TagRequest = z.output<typeof TagRequest>;

/** `POST /v2/tags/{container}` (no. 18). */
export const ArchTagRequest = TagRequest.extend({ Arch: z.string().max(64) });
export type ArchTagRequest = z.output<typeof ArchTagRequest>;

/** How long a file is. Clients send an empty one as any other, and show what the library says of it (case 43). */
const filesize = z.int().min(1, 'expected 1 byte or more, an empty file is no image');

/** `POST /v2/imagefile/{image}` (no. 21). */
export const UploadRequest = z.object({
  filesize,
  sha256sum: z.string().max(64).nullish(),
  md5sum: z.string().max(32).nullish(),
});
export type UploadRequest = z.output<typeof UploadRequest>;

/**
 * `POST /v2/imagefile/{image}/_multipart` (no. 24). `resume` is ours: go on with an upload that was interrupted; with `uploadID`
 * with that one, also when a connection of it still seems to be alive.
 */
export const MultipartRequest = z.object({ filesize, resume: flag, uploadID: id.nullish() });
export type MultipartRequest = z.output<typeof MultipartRequest>;

/** `PUT /v2/imagefile/{image}/_multipart` (no. 25). */
export const PartRequest = z.object({
  uploadID: id,
  partNumber: z.int(),
  partSize: z.int().min(0).nullish(),
  sha256sum: z.string().max(64).nullish(),
});
export type PartRequest = z.output<typeof PartRequest>;

/** `PUT /v2/imagefile/{image}/_multipart_complete` (no. 27); a token is an ETag, quotes included. */
export const MultipartCompletion = z.object({
  uploadID: id,
  completedParts: z
    .array(z.object({ partNumber: z.int(), token: text(200) }))
    .max(10_000)
    .nullish()
    .transform((value) => value ?? []),
});
export type MultipartCompletion = z.output<typeof MultipartCompletion>;

/** `PUT /v2/imagefile/{image}/_multipart_abort` (no. 28). */
export const MultipartAbort = z.object({ uploadID: id });
export type MultipartAbort = z.output<typeof MultipartAbort>;

/**
 * Ours: a proof, in the answer to a download with a token, that it was begun while the token was good. Sent with the same token for
 * further ranges, it lets the download go on after the token has expired; of no use to anybody else.
 */
export const DOWNLOAD_PROOF_HEADER = 'scs-download';

// Answers. Clients decode leniently: unknown members are dropped, `null` and absent are the zero value.
const answerText = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const answerFlag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const answerNumber = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const answerList = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const tagMap = z.record(z.string(), z.string());

/** What all objects share (library contract §4). */
const common = {
  id: z.string().min(1),
  deleted: answerFlag,
  createdBy: answerText,
  createdAt: answerText,
  updatedBy: answerText,
  updatedAt: answerText,
  owner: answerText,
};

export const LibraryEntity = z.object({
  ...common,
  name: z.string(),
  description: answerText,
  customData: answerText,
  collections: answerList,
  size: answerNumber,
  quota: answerNumber,
  defaultPrivate: answerFlag,
});
export type LibraryEntity = z.output<typeof LibraryEntity>;

export const LibraryCollection = z.object({
  ...common,
  name: z.string(),
  description: answerText,
  customData: answerText,
  entity: answerText,
  entityName: answerText,
  containers: answerList,
  size: answerNumber,
  private: answerFlag,
});
export type LibraryCollection = z.output<typeof LibraryCollection>;

export const LibraryContainer = z.object({
  ...common,
  name: z.string(),
  description: answerText,
  fullDescription: answerText,
  customData: answerText,
  collection: answerText,
  collectionName: answerText,
  entity: answerText,
  entityName: answerText,
  images: answerList,
  imageTags: tagMap.nullish().transform((value) => value ?? {}),
  archTags: z
    .record(z.string(), tagMap)
    .nullish()
    .transform((value) => value ?? {}),
  size: answerNumber,
  downloadCount: answerNumber,
  stars: answerNumber,
  private: answerFlag,
  readOnly: answerFlag,
});
export type LibraryContainer = z.output<typeof LibraryContainer>;

export const LibraryImage = z.object({
  ...common,
  hash: z.string(),
  description: answerText,
  customData: answerText,
  container: answerText,
  containerName: answerText,
  collection: answerText,
  collectionName: answerText,
  entity: answerText,
  entityName: answerText,
  size: answerNumber,
  uploaded: answerFlag,
  signed: answerFlag,
  encrypted: answerFlag,
  arch: answerText,
  fingerprints: answerList,
  tags: answerList,
});
export type LibraryImage = z.output<typeof LibraryImage>;

export const EntityAnswer = envelope(LibraryEntity);
export const CollectionAnswer = envelope(LibraryCollection);
export const ContainerAnswer = envelope(LibraryContainer);
export const ImageAnswer = envelope(LibraryImage);

/** `GET /v1/tags/{container}` (no. 15). */
export const TagsAnswer = envelope(tagMap.nullable());
/** `GET /v2/tags/{container}` (no. 17). */
export const ArchTagsAnswer = envelope(z.record(z.string(), tagMap).nullable());

/** Answer to no. 21. */
export const UploadAnswer = envelope(z.object({ uploadURL: z.string().min(1) }));

/** Answer to no. 24; `options` is a map of strings (rule 17). `received` in it is ours: parts that are there, and their tokens. */
export const MultipartAnswer = envelope(
  z.object({
    uploadID: z.string().min(1),
    /** 0 when the library has all bytes already. */
    totalParts: z.int().min(0),
    partSize: z.int().min(1),
    options: z
      .record(z.string(), z.string())
      .nullish()
      .transform((value) => value ?? {}),
  }),
);

/** Answer to no. 25. */
export const PartAnswer = envelope(z.object({ presignedURL: z.string().min(1) }));

/** Answer to nos. 23 and 27: what is used of the quota (0 = unlimited), and where people see the container. */
export const UploadCompletion = z.object({
  quota: z.object({ quotaTotal: z.number(), quotaUsage: z.number() }),
  containerUrl: z.string(),
});
export type UploadCompletion = z.output<typeof UploadCompletion>;
export const CompletionAnswer = envelope(UploadCompletion);

/** Answer to no. 29. */
export const SearchResult = z.object({
  entity: z
    .array(LibraryEntity)
    .nullish()
    .transform((value) => value ?? []),
  collection: z
    .array(LibraryCollection)
    .nullish()
    .transform((value) => value ?? []),
  container: z
    .array(LibraryContainer)
    .nullish()
    .transform((value) => value ?? []),
  image: z
    .array(LibraryImage)
    .nullish()
    .transform((value) => value ?? []),
});
export type SearchResult = z.output<typeof SearchResult>;
/**
 * The next page, if there is one, is asked for with `cursor`. `more` is ours: a limit was reached, and there may be more than this. So is
 * `cut`: so much had to be looked at that the rest is left to the next page, which may have nothing in it but another one.
 */
export const SearchAnswer = envelope(SearchResult).extend({ more: answerFlag, cut: answerFlag });

/** Ours: what administrators do with a whole library. */
export const LIBRARY_UPKEEP_PATHS = { check: '/v1/library/check', damaged: '/v1/library/damaged' } as const;

/** What can be wrong between what the library has written down and what there is. */
export const LibraryProblemKind = z.enum([
  /** An entity, collection or container, and the path that leads to it. */
  'name_missing',
  'name_wrong',
  'name_stray',
  /** The words by which the search finds it. */
  'term_missing',
  'term_wrong',
  'term_stray',
  /** It is listed for others than may see it, or for nobody. */
  'audience_wrong',
  /** What it lies in is not there. */
  'parent_missing',
  /** An image, and the hash that leads to it in its container. */
  'hash_missing',
  'hash_wrong',
  'hash_stray',
  'tag_stray',
  /** What its file says of itself was not read: it came with an older version. */
  'labels_missing',
  /** The words by which the search finds an image say neither its architecture nor whether it is signed: they came with an older version. */
  'terms_unmarked',
  /** What is known of the signatures of an image: nobody has looked, its record says something else, there is no such image. */
  'signatures_missing',
  'signatures_stray',
  'signers_wrong',
  /** That a key leads to the images with a signature by it. */
  'claim_missing',
  'claim_stray',
  /** That an entity has a content. */
  'holding_missing',
  'holding_wrong',
  'holding_stray',
  /** Who needs a content. */
  'content_missing',
  'content_wrong',
  'content_stray',
  /** The bytes themselves. */
  'blob_missing',
  'blob_wrong_size',
  'blob_damaged',
  'blob_stray',
  'upload_bytes_missing',
  'upload_bytes_stray',
  'part_stray',
  /** A star of a container that is gone. */
  'star_stray',
  /** A webhook of an entity that is gone, and deliveries of a webhook that is gone. */
  'webhook_stray',
  'delivery_stray',
  /** Where the feed of events is said to begin or end. */
  'feed_wrong',
  /** What is counted. */
  'container_tags',
  'container_size',
  'container_stars',
  'collection_size',
  'entity_size',
  'entity_held',
  'account_size',
  'account_held',
]);
export type LibraryProblemKind = z.infer<typeof LibraryProblemKind>;

export const LibraryProblem = z.object({
  kind: LibraryProblemKind,
  /** `entity/collection/container`, with `@sha256.…` or `:tag` behind it; a hash, or an id, of what has no path. */
  name: z.string(),
  /** What is missing or stray there: a word, an architecture, an entity; how a blob is damaged. */
  what: z.string().optional(),
  /** The number that is written down, and the one that was counted: bytes, tags, or how many need a content. */
  recorded: z.number().int().optional(),
  counted: z.number().int().optional(),
  repaired: z.boolean(),
});
export type LibraryProblem = z.infer<typeof LibraryProblem>;

/**
 * `POST /v1/library/check`, for administrators: one part after the other, until there is no cursor. `rehash` reads the bytes of
 * all blobs, too.
 */
export const LibraryCheckRequest = z.object({
  repair: z.boolean().default(false),
  rehash: z.boolean().default(false),
  cursor: z.string().max(2000).optional(),
});
export type LibraryCheckRequest = z.infer<typeof LibraryCheckRequest>;

const bytes = z.number().int();
export const LibraryCheckAnswer = envelope(
  z.object({
    /** How many were looked at in this part. */
    objects: z.number().int(),
    images: z.number().int(),
    blobs: z.number().int(),
    bytes: z.object({
      /** Of contents that images have, as it is written down. */
      documents: bytes,
      /** Of the blobs of those, as they lie in the store, and of blobs that nobody needs. */
      store: bytes,
      /** That are missing, too many, or damaged. */
      difference: bytes,
      /** That were read and hashed. */
      hashed: bytes,
    }),
    problems: z.array(LibraryProblem),
    /** What was being changed all the time, and could not be compared. */
    unsettled: z.array(z.string()),
    /** A large blob that is just being hashed: the next part goes on with it. */
    hashing: z.object({ hash: z.string(), done: bytes, size: bytes }).optional(),
  }),
);
export type LibraryCheckPart = z.infer<typeof LibraryCheckAnswer>['data'];

/** A blob with other bytes than its name says. */
export const DamagedBlob = z.object({
  hash: z.string(),
  reason: z.enum(['wrong_hash', 'wrong_size', 'unreadable']),
  since: z.string(),
  /** Some of the images that have it, as `entity/collection/container@hash`. */
  images: z.array(z.string()),
});
export type DamagedBlob = z.infer<typeof DamagedBlob>;

/** `GET /v1/library/damaged`, for administrators: by hash. */
export const DamagedQuery = z.object({ cursor: z.string().max(2000).optional() });
export type DamagedQuery = z.infer<typeof DamagedQuery>;
export const DamagedAnswer = envelope(z.object({ damaged: z.array(DamagedBlob) }));
