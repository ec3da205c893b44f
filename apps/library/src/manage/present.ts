import type { ListedCollection, ListedContainer, ListedImage, ListedTag } from '#libs/contract';
import type { Tag } from '../images/tags.store.js';
import type { Collection } from '../tree/collections.store.js';
import type { Container } from '../tree/containers.store.js';
import type { ImageWithTags } from './lists.service.js';

/* Stored documents → what lists say of them. */

export function listedCollection({ id, value }: Collection): ListedCollection {
  const { name, description, size } = value;
  return { id, name, description, private: value.private, size, ...times(value) };
}

export function listedContainer({ id, value }: Container): ListedContainer {
  const { name, description, readOnly, size, tags, downloadCount, protectedTags = [] } = value;
  const counters = { size, tags, downloadCount };
  return {
    id,
    name,
    description,
    private: value.private,
    readOnly,
    protectedTags: [...protectedTags],
    ...counters,
    ...times(value),
  };
}

export function listedImage({ image: { id, value }, tags }: ImageWithTags): ListedImage {
  const { hash, description, arch = null, size, uploaded, signed, encrypted } = value;
  const { fingerprints, signers = [], createdBy, createdAt } = value;
  const content = { arch, size, uploaded, signed, encrypted, fingerprints, signers };
  return { id, hash, description, ...content, tags: [...tags], createdBy, createdAt };
}

export function listedTag({ value }: Tag): ListedTag {
  const { tag, arch, image, updatedBy, updatedAt } = value;
  return { tag, arch, image, updatedBy, updatedAt };
}

function times({
  createdBy,
  createdAt,
  updatedAt = createdAt,
}: {
  readonly createdBy: string;
  readonly createdAt: string;
  readonly updatedAt?: string | undefined;
}) {
  return { createdBy, createdAt, updatedAt };
}
