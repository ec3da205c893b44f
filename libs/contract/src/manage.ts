import { z } from 'zod';
import { envelope } from './envelope.js';
import { LIBRARY_TEXT_LIMITS, LibraryCollection, LibraryContainer, LibraryEntity } from './library.js';

/*
 * The management of the library: ours, where the protocol of the stock clients ends. Names in the addresses, so that nobody needs an id;
 * a member of a change that is absent stays as it is.
 */

/** Where the library answers: `<kind>/<entity>[/<collection>[/<container>]]` below it. */
export const MANAGE_PATH = '/v1/manage';

const text = (maximum: number) => z.string().max(maximum).optional();
const description = text(LIBRARY_TEXT_LIMITS.description);
const customData = text(LIBRARY_TEXT_LIMITS.customData);

/** A tag, in which `*` stands for any characters. */
const TagPattern = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9._*-]+$/);

/** Tags that can be set and neither moved nor removed. Those of an entity hold for all its containers. */
const protectedTags = z.array(TagPattern).max(20).optional();

/**
 * Which images of a container are kept: what any of the rules keeps. `keepLast`: the newest ones of each architecture.
 * `keepDays`: what was pushed or pulled within so many days. `keepTags`: what has one of these tags, as patterns.
 * `apply`: by the library itself once a day, or, as without it, when somebody asks.
 */
export const Retention = z
  .object({
    keepLast: z.int().min(1).max(10_000).optional(),
    keepDays: z.int().min(1).max(36_500).optional(),
    keepTags: z.array(TagPattern).min(1).max(20).optional(),
    apply: z.enum(['asked', 'daily']).optional(),
  })
  .refine(
    ({ keepLast, keepDays, keepTags }) => [keepLast, keepDays, keepTags].some((rule) => rule !== undefined),
    {
      error: 'Expected keepLast, keepDays or keepTags: without a rule nothing would be kept',
    },
  );
export type Retention = z.output<typeof Retention>;

/**
 * `POST /v1/manage/retention/…`: without `dryRun: false` it says what would be removed, by the rules of the container or by those given
 * here; with it the rules of the container are applied.
 */
export const RetentionRequest = z
  .object({ dryRun: z.boolean().default(true), rules: Retention.optional() })
  .refine(({ dryRun, rules }) => dryRun || rules === undefined, {
    error: 'Expected no rules beside dryRun=false: those of the container are applied',
  });
export type RetentionRequest = z.output<typeof RetentionRequest>;

/** The whole fingerprint of a primary key; lower-case afterwards. SIF signatures have keys of version 4 alone. */
const SignerFingerprint = z
  .string()
  .regex(/^[0-9a-fA-F]{40}$/, { error: 'Expected the 40 hexadecimal digits of a whole fingerprint' })
  .transform((text) => text.toLowerCase());
const signers = z.array(SignerFingerprint).min(1).max(50).optional();

/**
 * Of an entity: only images that one of these people has signed, all of it, may be pushed; and only those may be pulled, whenever they
 * were pushed.
 */
export const RequiredSigners = z.object({ push: signers, pull: signers });
export type RequiredSigners = z.output<typeof RequiredSigners>;

/**
 * What became of a signature:
 * - `good`: by a key that is good now, over what is there
 * - `changed`: over something else than what is there
 * - `key_unknown`, `key_revoked`, `key_expired`: nothing can be said, because of its key
 * - `bad`: the key that it names did not make it
 * - `other`: not an OpenPGP signature of a group of objects: not looked at
 */
export const SignatureState = z.enum([
  'good',
  'changed',
  'key_unknown',
  'key_revoked',
  'key_expired',
  'bad',
  'other',
]);
export type SignatureState = z.output<typeof SignatureState>;

/**
 * `POST /v1/manage/retention/{entity}`: the same for all containers of an entity, page by page. Rules of the entity, or those given here,
 * hold for containers that have none of their own.
 */
export const EntityRetentionRequest = z
  .object({
    dryRun: z.boolean().default(true),
    rules: Retention.optional(),
    limit: z.int().min(1).max(100).default(20),
    cursor: z.string().max(1000).optional(),
  })
  .refine(({ dryRun, rules }) => dryRun || rules === undefined, {
    error: 'Expected no rules beside dryRun=false: those of the entity and its containers are applied',
  });
export type EntityRetentionRequest = z.output<typeof EntityRetentionRequest>;

/** `PATCH /v1/manage/entities/{entity}`. `quota` in bytes, 0 for no limit: administrators only. */
export const ChangeEntityRequest = z.object({
  description,
  customData,
  defaultPrivate: z.boolean().optional(),
  protectedTags,
  /** null: none; replaced as a whole. */
  requiredSigners: RequiredSigners.nullable().optional(),
  quota: z.int().min(0).optional(),
  /** For containers that have no rules of their own; null: none. */
  retention: Retention.nullable().optional(),
});
export type ChangeEntityRequest = z.output<typeof ChangeEntityRequest>;

/** `PATCH /v1/manage/collections/…`. `name` gives it, and all its containers, another address. */
export const ChangeCollectionRequest = z.object({
  name: z.string().max(LIBRARY_TEXT_LIMITS.name).optional(),
  description,
  customData,
  private: z.boolean().optional(),
});
export type ChangeCollectionRequest = z.output<typeof ChangeCollectionRequest>;

/** `PATCH /v1/manage/containers/…`. `fullDescription` is its README, in Markdown; `name` gives it another one. */
export const ChangeContainerRequest = z.object({
  name: z.string().max(LIBRARY_TEXT_LIMITS.name).optional(),
  description,
  fullDescription: text(LIBRARY_TEXT_LIMITS.fullDescription),
  customData,
  private: z.boolean().optional(),
  readOnly: z.boolean().optional(),
  protectedTags,
  /** null: everything is kept. */
  retention: Retention.nullable().optional(),
});
export type ChangeContainerRequest = z.output<typeof ChangeContainerRequest>;

const listed = {
  id: z.string(),
  description: z.string(),
  private: z.boolean(),
  size: z.number(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
};

/** What a list says of a collection. Sizes in bytes. */
export const ListedCollection = z.object({ name: z.string(), ...listed });
export type ListedCollection = z.output<typeof ListedCollection>;

/** What a list says of a container. `tags`: how many, over all architectures. */
export const ListedContainer = z.object({
  name: z.string(),
  ...listed,
  readOnly: z.boolean(),
  tags: z.number(),
  protectedTags: z.array(z.string()),
  downloadCount: z.number(),
});
export type ListedContainer = z.output<typeof ListedContainer>;

/** What a list says of an image; newest first. `tags` may be cut. */
export const ListedImage = z.object({
  id: z.string(),
  hash: z.string(),
  description: z.string(),
  arch: z.string().nullable(),
  size: z.number(),
  uploaded: z.boolean(),
  signed: z.boolean(),
  encrypted: z.boolean(),
  /** That its signatures name, and whose signatures were good when they were looked at last; lower-case. */
  fingerprints: z.array(z.string()),
  signers: z.array(z.string()).optional(),
  tags: z.array(z.string()),
  createdBy: z.string(),
  createdAt: z.string(),
});
export type ListedImage = z.output<typeof ListedImage>;

/** What a list says of a tag; by name, then by architecture. */
export const ListedTag = z.object({
  tag: z.string(),
  arch: z.string(),
  image: z.string(),
  updatedBy: z.string(),
  updatedAt: z.string(),
});
export type ListedTag = z.output<typeof ListedTag>;

/** What the rules of a container say of an image; `kept` is null for one that is removed. `pulledAt` is a day. */
export const RetainedImage = z.object({
  id: z.string(),
  hash: z.string(),
  arch: z.string().nullable(),
  size: z.number(),
  tags: z.array(z.string()),
  createdAt: z.string(),
  pulledAt: z.string().nullable(),
  kept: z.enum(['last', 'days', 'tag', 'protected']).nullable(),
});
export type RetainedImage = z.output<typeof RetainedImage>;

/** `removed` counts images, `bytes` is what they have, whoever else has the same. */
export const RetentionAnswer = envelope(
  z.object({
    dryRun: z.boolean(),
    rules: Retention,
    removed: z.number(),
    bytes: z.number(),
    images: z.array(RetainedImage),
  }),
);
export type RetentionAnswer = z.output<typeof RetentionAnswer>;

/**
 * `GET /v1/manage/details/…/{tag or sha256.<hex>}`: what the file of an image says of itself beside its file system, which is not
 * read; null for what it does not say. `cut`: some of it is longer, or more, than is told.
 */
export const ImageDetails = z.object({
  labels: z.array(z.object({ name: z.string(), value: z.string() })),
  definition: z.string().nullable(),
  help: z.string().nullable(),
  /** What the file consists of. Sizes in bytes; groups and links as `sing sif list` shows them. */
  objects: z.array(
    z.object({
      id: z.number(),
      type: z.string(),
      name: z.string(),
      size: z.number(),
      group: z.number().nullable(),
      link: z.string().nullable(),
    }),
  ),
  cut: z.boolean(),
});
export type ImageDetails = z.output<typeof ImageDetails>;
export const ImageDetailsAnswer = envelope(ImageDetails);

/** What becomes of the containers of a page; those without rules are not in it. `images` are those that go. */
export const EntityRetentionAnswer = envelope(
  z.object({
    dryRun: z.boolean(),
    /** Of the entity, or those that were asked about. */
    rules: Retention.nullable(),
    removed: z.number(),
    bytes: z.number(),
    containers: z.array(
      z.object({
        /** `entity/collection/container`. */
        container: z.string(),
        rules: Retention,
        of: z.enum(['container', 'entity']),
        removed: z.number(),
        bytes: z.number(),
        images: z.array(RetainedImage),
      }),
    ),
  }),
);
export type EntityRetentionAnswer = z.output<typeof EntityRetentionAnswer>;

export const CollectionsList = envelope(z.array(ListedCollection));
export const ContainersList = envelope(z.array(ListedContainer));
export const ImagesList = envelope(z.array(ListedImage));
export const TagsList = envelope(z.array(ListedTag));

/** What a stock answer says of an object, and what is ours of it. */
export const ManagedEntity = LibraryEntity.extend({
  protectedTags: z.array(z.string()).default([]),
  requiredSigners: RequiredSigners.nullable().default(null),
  retention: Retention.nullable().default(null),
});
export type ManagedEntity = z.output<typeof ManagedEntity>;
export const ManagedContainer = LibraryContainer.extend({
  protectedTags: z.array(z.string()).default([]),
  retention: Retention.nullable().default(null),
});
export type ManagedContainer = z.output<typeof ManagedContainer>;

/** `GET /v1/entities` (library contract §5 no. 5): those that the caller belongs to. */
export const EntitiesList = envelope(z.array(ManagedEntity));
export const ManagedEntityAnswer = envelope(ManagedEntity);
export const ManagedCollectionAnswer = envelope(LibraryCollection);
export const ManagedContainerAnswer = envelope(ManagedContainer);
/** What was removed is gone. */
export const RemovedAnswer = envelope(z.object({ deleted: z.literal(true) }));

/** `GET /v1/manage/signatures/…`: who has signed an image, as far as the keys of the keystore say now. */
export const SignaturesAnswer = envelope(
  z.object({
    hash: z.string(),
    signed: z.boolean(),
    /** Who signed all of it with a key that is good; lower-case fingerprints. */
    signers: z.array(z.string()),
    /** null: not yet, because the keystore did not answer, or because nobody has signed. */
    checkedAt: z.string().nullable(),
    /** A key has changed since, or its time is over: they are about to be checked again. */
    due: z.boolean(),
    signatures: z.array(
      z.object({
        /** Of the signature object in the file, and of the group that it is for. */
        id: z.number(),
        group: z.number().nullable(),
        /** That it names; it is proved where the state is `good`. */
        fingerprint: z.string().nullable(),
        state: SignatureState,
        /** As the signature says. */
        signedAt: z.string().nullable(),
        /** When its key ends. */
        until: z.string().nullable(),
      }),
    ),
  }),
);
export type SignaturesAnswer = z.output<typeof SignaturesAnswer>;
