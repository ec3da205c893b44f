import { Injectable } from '@nestjs/common';
import type {
  Actor,
  EntityRetentionAnswer,
  EntityRetentionRequest,
  RetainedImage,
  RetentionAnswer,
  RetentionRequest,
} from '#libs/contract';
import { DomainError } from '#libs/core';
import type { ByRules } from '../events.js';
import { LIMITS } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, mayRemove, placeOf } from '../policy.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore } from '../tree/entities.store.js';
import { containerSubject, entitySubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import { RetainerService, rulesFor } from './retainer.service.js';

type OfContainer = EntityRetentionAnswer['data']['containers'][number];

/** Removes what rules do not keep, or says what that would be, for owners. */
@Injectable()
export class RetentionService {
  constructor(
    private readonly tree: TreeService,
    private readonly entities: EntitiesStore,
    private readonly containers: ContainersStore,
    private readonly retainer: RetainerService,
  ) {}

  /** @throws DomainError `not_found`, `forbidden`; `conflict` for a container without rules */
  async run(path: string, request: RetentionRequest, actor: Actor): Promise<RetentionAnswer['data']> {
    const container = await this.tree.container(path, actor);
    enforce(mayRemove(actor, containerSubject(container)), () => missing('container', path));
    const entity = await this.entities.get(container.value.entity);
    const by = asked(request) ?? rulesFor(container, entity?.value);
    if (by === undefined)
      throw new DomainError('conflict', `${path} has no rules: all its images are kept`, {
        reason: 'no_retention',
        remedy: 'Set them first: keepLast, keepDays, keepTags.',
      });
    const { dryRun } = request;
    const images = await this.retainer.judged(container, by.rules);
    const removed = await this.#removed(images, container, by, dryRun ? undefined : actor);
    return { dryRun, rules: by.rules, removed: removed.length, bytes: bytesOf(removed), images };
  }

  /**
   * The next containers of an entity, by their own rules, or else by those of the entity, or those that are asked about.
   * @throws DomainError `not_found`, `forbidden`, `bad_request` for a cursor of another list
   */
  async runEntity(
    name: string,
    request: EntityRetentionRequest,
    actor: Actor,
  ): Promise<EntityRetentionAnswer> {
    const entity = await this.tree.entity(name, actor);
    enforce(mayRemove(actor, entitySubject(entity)), () => missing('entity', name));
    const { dryRun, limit } = request;
    const rules = request.rules ?? entity.value.retention;
    const found: OfContainer[] = [];
    let { cursor } = request;
    let looked = 0;
    do {
      const page = await this.containers.ofEntity(entity.id, 1, cursor);
      ({ cursor } = page);
      for (const container of page.items) {
        const by = rulesFor(container, { retention: rules });
        looked += 1;
        if (by === undefined) continue;
        const images = await this.retainer.judged(container, by.rules);
        looked += images.length;
        const removed = await this.#removed(images, container, by, dryRun ? undefined : actor);
        const numbers = { removed: removed.length, bytes: bytesOf(removed) };
        found.push({ container: placeOf(containerSubject(container)), ...by, ...numbers, images: removed });
      }
    } while (cursor !== undefined && found.length < limit && looked < LIMITS.retainedImages);
    const removed = found.reduce((sum, one) => sum + one.removed, 0);
    const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
    return {
      data: { dryRun, rules: rules ?? null, removed, bytes, containers: found },
      ...(cursor === undefined ? {} : { page: { next: cursor } }),
    };
  }

  /** @param actor undefined: nothing is removed. @returns what is, or would be, gone */
  async #removed(
    images: readonly RetainedImage[],
    container: Container,
    by: ByRules,
    actor: Actor | undefined,
  ): Promise<RetainedImage[]> {
    const removed: RetainedImage[] = [];
    for (const image of images) {
      if (image.kept !== null) continue;
      if (actor === undefined || (await this.retainer.remove(image, container, actor, by)))
        removed.push(image);
    }
    return removed;
  }
}

function asked({ rules }: RetentionRequest): ByRules | undefined {
  return rules === undefined ? undefined : { rules, of: 'container' };
}

function bytesOf(images: readonly RetainedImage[]): number {
  return images.reduce((sum, { size }) => sum + size, 0);
}
