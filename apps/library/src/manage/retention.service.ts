import { Inject, Injectable } from '@nestjs/common';
import type { Actor, RetainedImage, Retention, RetentionAnswer, RetentionRequest } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '#libs/server';
import { ImagesService } from '../images/images.service.js';
import { type Image, ImagesStore } from '../images/images.store.js';
import { ProtectionService } from '../images/protection.service.js';
import { TagsStore } from '../images/tags.store.js';
import { missing } from '../missing.js';
import { enforce, mayRemove } from '../policy.js';
import type { Container } from '../tree/containers.store.js';
import { containerSubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import { retained } from './retention.js';

/** Images that are read at once. */
const PAGE = 500;
/** Images that one run looks at, newest first. */
const MOST = 20_000;

/** Removes what the rules of a container do not keep, or says what that would be. */
@Injectable()
export class RetentionService {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly tree: TreeService,
    private readonly images: ImagesStore,
    private readonly imagesService: ImagesService,
    private readonly tags: TagsStore,
    private readonly protection: ProtectionService,
  ) {}

  /** @throws DomainError `not_found`, `forbidden`; `conflict` for a container without rules */
  async run(path: string, request: RetentionRequest, actor: Actor): Promise<RetentionAnswer['data']> {
    const container = await this.tree.container(path, actor);
    enforce(mayRemove(actor, containerSubject(container)), () => missing('container', path));
    const rules = request.rules ?? container.value.retention;
    if (rules === undefined)
      throw new DomainError('conflict', `${path} has no rules: all its images are kept`, {
        reason: 'no_retention',
        remedy: 'Set them first: keepLast, keepDays, keepTags.',
      });
    const images = await this.#judged(container, rules);
    const removed: RetainedImage[] = [];
    for (const image of images)
      if (image.kept === null && (request.dryRun || (await this.#remove(image, container, actor))))
        removed.push(image);
    const bytes = removed.reduce((sum, { size }) => sum + size, 0);
    return { dryRun: request.dryRun, rules, removed: removed.length, bytes, images };
  }

  async #judged(container: Container, rules: Retention): Promise<RetainedImage[]> {
    const images: Omit<RetainedImage, 'kept'>[] = [];
    for (const { id, value } of await this.#uploaded(container)) {
      const { hash, arch = null, size, createdAt, pulledAt = null } = value;
      images.push({ id, hash, arch, size, tags: await this.tags.allNamesOf(id), createdAt, pulledAt });
    }
    const protectedTags = await this.protection.patternsOf(container);
    const reasons = retained(images, rules, { protectedTags, now: this.clock.now().getTime() });
    return images.map((image, index) => ({ ...image, kept: reasons[index] ?? null }));
  }

  async #uploaded(container: Container): Promise<Image[]> {
    const found: Image[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.images.page(container.id, { limit: PAGE, cursor });
      found.push(...page.items.filter(({ value }) => value.uploaded));
      cursor = page.cursor;
    } while (cursor !== undefined && found.length < MOST);
    return found;
  }

  /**
   * One that got another tag, or was pulled, since it was looked at, stays: it is judged again the next time.
   * @returns whether it is gone now
   */
  async #remove(judged: RetainedImage, container: Container, actor: Actor): Promise<boolean> {
    const image = await this.images.get(judged.id);
    if (!image || (image.value.pulledAt ?? null) !== judged.pulledAt) return false;
    const tags = await this.tags.allNamesOf(image.id);
    if (tags.some((tag) => !judged.tags.includes(tag))) return false;
    await this.protection.requireRemovable(image, container);
    await this.imagesService.removeStored(image.id, image.value.hash, actor);
    return true;
  }
}
