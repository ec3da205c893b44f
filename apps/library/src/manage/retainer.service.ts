import { Inject, Injectable } from '@nestjs/common';
import type { Caller } from '#libs/audit';
import type { RetainedImage, Retention } from '#libs/contract';
import { type Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import type { ByRules } from '../events.js';
import { ImagesService } from '../images/images.service.js';
import { type Image, ImagesStore } from '../images/images.store.js';
import { ProtectionService } from '../images/protection.service.js';
import { TagsStore } from '../images/tags.store.js';
import { LIMITS } from '../limits.js';
import type { Container } from '../tree/containers.store.js';
import type { Entity } from '../tree/entities.store.js';
import { retained } from './retention.js';

/** Images that are read at once. */
const PAGE = 500;

/** What the rules say of the images of a container, and the end of those that they do not keep. */
@Injectable()
export class RetainerService {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly images: ImagesStore,
    private readonly imagesService: ImagesService,
    private readonly tags: TagsStore,
    private readonly protection: ProtectionService,
  ) {}

  /** Of the images that are there, newest first, what keeps each. */
  async judged(container: Container, rules: Retention): Promise<RetainedImage[]> {
    const images: Omit<RetainedImage, 'kept'>[] = [];
    for (const { id, value } of await this.#uploaded(container)) {
      const { hash, arch = null, size, createdAt, pulledAt = null } = value;
      images.push({ id, hash, arch, size, tags: await this.tags.allNamesOf(id), createdAt, pulledAt });
    }
    const protectedTags = await this.protection.patternsOf(container);
    const reasons = retained(images, rules, { protectedTags, now: this.clock.now().getTime() });
    return images.map((image, index) => ({ ...image, kept: reasons[index] ?? null }));
  }

  /**
   * Removes one that is not kept. One that got another tag, or was pulled, since it was looked at, stays: it is judged again the next time.
   * @param actor null: nobody asks
   * @returns whether it is gone now
   * @throws DomainError `conflict` when it has a tag that is protected by now
   */
  async remove(
    judged: RetainedImage,
    container: Container,
    actor: Caller | null,
    by: ByRules,
  ): Promise<boolean> {
    let isSame = false;
    const isMeant = async (): Promise<boolean> => (isSame = await this.#isRemovable(judged, container));
    if (await isMeant())
      await this.imagesService.removeStored(judged.id, judged.hash, actor, { by, isMeant });
    return isSame;
  }

  /** Whether nothing has happened to it since it was looked at. @throws DomainError as {@link remove} */
  async #isRemovable(judged: RetainedImage, container: Container): Promise<boolean> {
    const image = await this.images.get(judged.id);
    if (!image || (image.value.pulledAt ?? null) !== judged.pulledAt) return false;
    const tags = await this.tags.allNamesOf(image.id);
    if (tags.some((tag) => !judged.tags.includes(tag))) return false;
    await this.protection.requireRemovable(image, container);
    return true;
  }

  async #uploaded(container: Container): Promise<Image[]> {
    const found: Image[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.images.page(container.id, { limit: PAGE, cursor });
      found.push(...page.items.filter(({ value }) => value.uploaded));
      cursor = page.cursor;
    } while (cursor !== undefined && found.length < LIMITS.retainedImages);
    return found;
  }
}

/** The rules of a container: its own, or else those of its entity; undefined: all is kept. */
export function rulesFor(
  container: Container,
  entity: Pick<Entity['value'], 'retention'> | undefined,
): ByRules | undefined {
  const own = container.value.retention;
  if (own !== undefined) return { rules: own, of: 'container' };
  return entity?.retention === undefined ? undefined : { rules: entity.retention, of: 'entity' };
}
