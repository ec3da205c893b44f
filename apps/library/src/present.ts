import type { Collection } from './tree/collections.store.js';
import type { Container } from './tree/containers.store.js';
import type { Entity } from './tree/entities.store.js';
import type { Image } from './images/images.store.js';
import { type ArchTags, withoutArch } from './images/tags.service.js';

/*
 * Stored documents → answers (library contract §4). Ids are strings, sizes numbers, times RFC 3339 with zone or absent
 * (rule 8): a stock client stops at anything else.
 */

/** @param insider whether the caller may see what the entity uses */
export function presentEntity({ id, value }: Entity, insider: boolean): object {
  const { name, description, customData, defaultPrivate, quota, size } = value;
  const { protectedTags = [], requiredSigners = null, retention } = value;
  return {
    id,
    name,
    description,
    customData,
    defaultPrivate,
    collections: null,
    size: insider ? size : 0,
    quota: insider ? quota : 0,
    // Ours, like the one of containers: stock clients drop what they do not know.
    protectedTags: insider ? protectedTags : [],
    requiredSigners: insider ? requiredSigners : null,
    retention: insider ? (retention ?? null) : null,
    ...times(value),
  };
}

export function presentCollection({ id, value }: Collection): object {
  const { entity, entityName, name, description, customData, size } = value;
  return {
    id,
    name,
    description,
    customData,
    entity,
    entityName,
    containers: null,
    size,
    private: value.private,
    ...times(value),
  };
}

export function presentContainer({ id, value }: Container, tags: ArchTags): object {
  const { name, description, fullDescription, customData, size, downloadCount, stars, readOnly } = value;
  return {
    id,
    name,
    description,
    fullDescription,
    customData,
    ...placeOf(value),
    images: null,
    imageTags: withoutArch(tags),
    archTags: tags,
    size,
    downloadCount,
    stars,
    private: value.private,
    readOnly,
    protectedTags: value.protectedTags ?? [],
    retention: value.retention ?? null,
    ...times(value),
  };
}

export function presentImage({ id, value }: Image, container: Container, tags: readonly string[]): object {
  const { hash, description, customData, size, uploaded, arch, signed, encrypted, fingerprints } = value;
  return {
    id,
    hash,
    description,
    customData,
    container: container.id,
    containerName: container.value.name,
    ...placeOf(container.value),
    size,
    uploaded,
    signed,
    encrypted,
    ...(arch === undefined ? {} : { arch }),
    fingerprints,
    // Ours: stock clients show what the signatures claim.
    signers: value.signers ?? [],
    tags: [...new Set(tags)],
    containerDescription: container.value.description,
    containerStars: container.value.stars,
    containerDownloads: container.value.downloadCount,
    ...times(value),
  };
}

function placeOf({ entity, entityName, collection, collectionName }: Container['value']): object {
  return { entity, entityName, collection, collectionName };
}

function times({ createdBy, createdAt }: { createdBy: string; createdAt: string }): object {
  return { createdBy, createdAt, updatedAt: createdAt, deleted: false };
}
