import { Injectable } from '@nestjs/common';
import type { Container } from '../tree/containers.store.js';
import { EntitiesStore } from '../tree/entities.store.js';
import type { Image } from './images.store.js';
import { protectedTag, protectionOf } from './protection.js';
import { TagsStore } from './tags.store.js';

/** Tags that stay where they are: what a container and its entity protect, from everybody. Only who changes that can move them. */
@Injectable()
export class ProtectionService {
  constructor(
    private readonly entities: EntitiesStore,
    private readonly tags: TagsStore,
  ) {}

  /** What the container and its entity protect. */
  async patternsOf({ value }: Container): Promise<readonly string[]> {
    const entity = await this.entities.get(value.entity);
    return [...(value.protectedTags ?? []), ...(entity?.value.protectedTags ?? [])];
  }

  /** @throws DomainError `conflict` when one of the tags is protected */
  async requireMovable(container: Container, tags: readonly string[]): Promise<void> {
    const patterns = await this.patternsOf(container);
    for (const tag of tags) {
      const pattern = protectionOf(tag, patterns);
      if (pattern !== undefined) throw protectedTag(tag, pattern);
    }
  }

  /** @throws DomainError `conflict` when a tag of the image is protected: it would go with it */
  async requireRemovable(image: Image, container: Container): Promise<void> {
    await this.requireMovable(container, await this.tags.allNamesOf(image.id));
  }
}
