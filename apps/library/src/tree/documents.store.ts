import { z } from 'zod';
import { RequiredSigners, Retention } from '#libs/contract';
import type { CollectionSpec, Stored } from '#libs/documents';

/*
 * What is stored of entities, collections and containers, and how it can be listed. Without a framework, as the files of this name
 * in the other rooms: `scs library check --offline` reads them too.
 */

const EntityDocument = z.object({
  name: z.string(),
  description: z.string(),
  customData: z.string(),
  defaultPrivate: z.boolean(),
  /** Bytes; 0 = no limit. */
  quota: z.number(),
  /** Bytes of all different images. */
  size: z.number(),
  /** `size` and what open uploads have reserved: what the quota limits. */
  held: z.number(),
  /** Patterns: tags that stay where they are, in all its containers. */
  protectedTags: z.array(z.string()).optional(),
  /** Of whom one must have signed what is pushed to it, and what is pulled; absent: nobody. */
  requiredSigners: RequiredSigners.optional(),
  /** Which images are kept in those of its containers that do not say it themselves. */
  retention: Retention.optional(),
  /** Milliseconds since 1970: when these rules are applied next, where the library does that by itself. */
  retainAt: z.number().optional(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string().optional(),
});
export type EntityDocument = z.infer<typeof EntityDocument>;
export type Entity = Stored<EntityDocument>;

export type EntityIndex = 'byName' | 'byRetention';
export const ENTITIES = {
  name: 'entities',
  schema: EntityDocument,
  indexes: { byName: { fields: ['name'] }, byRetention: { fields: ['retainAt'] } },
} as const satisfies CollectionSpec<EntityDocument>;

const CollectionDocument = z.object({
  /** Id. */
  entity: z.string(),
  entityName: z.string(),
  name: z.string(),
  description: z.string(),
  customData: z.string(),
  private: z.boolean(),
  /** Bytes of all its images. */
  size: z.number(),
  /** Whose list it is in, as of {@link audienceOf}. */
  audience: z.string().optional(),
  /** Names from before that may still lead here, oldest first, and until when (milliseconds since 1970). */
  formerNames: z.array(z.object({ name: z.string(), until: z.number() })).optional(),
  /** The name that it is being given, which leads here already: its containers are moving. */
  movingTo: z.string().optional(),
  /** Who has asked for that: the trail says so also when nobody does any more. */
  movingBy: z
    .object({
      accountId: z.string(),
      username: z.string(),
      tokenId: z.string(),
      originTokenId: z.string(),
      via: z.string().optional(),
    })
    .optional(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string().optional(),
});
export type CollectionDocument = z.infer<typeof CollectionDocument>;
export type Collection = Stored<CollectionDocument>;

export type CollectionIndex = 'byEntity' | 'byPlace' | 'byMoving';
export const COLLECTIONS = {
  name: 'collections',
  schema: CollectionDocument,
  indexes: {
    byEntity: { fields: ['entity', 'audience', 'name'] },
    /** For the check, as are the next ones that say so: all of them, those of an entity together. */
    byPlace: { fields: ['entity', 'name'] },
    byMoving: { fields: ['movingTo'] },
  },
} as const satisfies CollectionSpec<CollectionDocument>;

const ContainerDocument = z.object({
  /** Ids, and the names that lead here. That of an entity does not change. */
  entity: z.string(),
  entityName: z.string(),
  collection: z.string(),
  collectionName: z.string(),
  name: z.string(),
  description: z.string(),
  fullDescription: z.string(),
  customData: z.string(),
  private: z.boolean(),
  readOnly: z.boolean(),
  /** Bytes of all its images. */
  size: z.number(),
  downloadCount: z.number(),
  stars: z.number(),
  /** How many tags there are, over all architectures. */
  tags: z.number(),
  /** Whose list it is in, as of {@link audienceOf}. */
  audience: z.string().optional(),
  /** Patterns: tags that stay where they are. */
  protectedTags: z.array(z.string()).optional(),
  /** Which images are kept; absent: all of them. */
  retention: Retention.optional(),
  /** As of entities. */
  retainAt: z.number().optional(),
  /** Names from before that may still lead here, oldest first; and with those of the collection where it had another one. */
  formerNames: z.array(z.string()).optional(),
  formerPaths: z.array(z.string()).optional(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string().optional(),
});
export type ContainerDocument = z.infer<typeof ContainerDocument>;
export type Container = Stored<ContainerDocument>;

export type ContainerIndex = 'byRetention' | 'byCollectionName' | 'byPlace' | 'byCollection' | 'byParent';
export const CONTAINERS = {
  name: 'containers',
  schema: ContainerDocument,
  indexes: {
    byCollection: { fields: ['collection', 'audience', 'name'] },
    byPlace: { fields: ['entity', 'collection', 'name'] },
    byRetention: { fields: ['retainAt'] },
    byCollectionName: { fields: ['collection', 'collectionName'] },
    /** For the check. */
    byParent: { fields: ['collection'] },
  },
} as const satisfies CollectionSpec<ContainerDocument>;

/** The second way to an entity, collection or container: its path is the id, lower-case. */
const NameDocument = z.object({
  target: z.string(),
  /** Of a name from before: it leads to the object until then, in milliseconds since 1970. */
  until: z.number().optional(),
});
export type NameDocument = z.infer<typeof NameDocument>;
export type NameIndex = 'byTarget';
export const NAMES = {
  name: 'names',
  schema: NameDocument,
  /** For the check. */
  indexes: { byTarget: { fields: ['target'] } },
} as const satisfies CollectionSpec<NameDocument>;
