import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { ScsConfig } from '#libs/config';
import type { Actor } from '#libs/contract';
import { DomainError } from '#libs/core';
import { type Change, commitPlan, DATABASE, type Database } from '../database.store.js';
import { removed, untagged } from '../events.js';
import { DownloadCounts } from '../downloads/downloadCounts.service.js';
import { EventFeed } from '../events/feed.store.js';
import {
  collectionPlace,
  containerPlace,
  entityPlace,
  type Place,
  placeRemoved,
  tagRemoved,
} from '../events/happenings.js';
import { ImagesService } from '../images/images.service.js';
import { ImagesStore } from '../images/images.store.js';
import { ProtectionService } from '../images/protection.service.js';
import { TagsStore } from '../images/tags.store.js';
import { LIMITS } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, isAdministrator, mayDelete, mayRemove, placeOf, type Subject } from '../policy.js';
import { collectionTerms, containerTerms, entityTerms } from '../search/documents.store.js';
import { type SearchKind, type Terms, TermsStore } from '../search/terms.store.js';
import { StarsStore } from '../stars/stars.store.js';
import { EVERYBODY } from '../tree/audiences.js';
import { CollectionsStore } from '../tree/collections.store.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore } from '../tree/entities.store.js';
import { NamesStore } from '../tree/names.store.js';
import { collectionSubject, containerSubject, entitySubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import { webhookEvent } from '../webhooks/webhookEvents.js';
import { WebhooksStore } from '../webhooks/webhooks.store.js';

const FIRST = { after: '', limit: 1 } as const;

/** The end of entities, collections, containers and tags. Of images: {@link ImagesService}. */
@Injectable()
export class RemovalsService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly config: ScsConfig,
    private readonly tree: TreeService,
    private readonly names: NamesStore,
    private readonly terms: TermsStore,
    private readonly entities: EntitiesStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
    private readonly images: ImagesStore,
    private readonly imagesService: ImagesService,
    private readonly tags: TagsStore,
    private readonly protection: ProtectionService,
    private readonly stars: StarsStore,
    private readonly downloads: DownloadCounts,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
    private readonly webhooks: WebhooksStore,
  ) {}

  /**
   * One with a quota of its own goes by administrators alone: made again it would have none.
   * @throws DomainError `not_found`, `forbidden`, `conflict` while there is something in it
   */
  async removeEntity(name: string, actor: Actor): Promise<void> {
    const { id } = await this.tree.entity(name, actor);
    await commitPlan(this.database, async () => {
      const entity = await this.entities.get(id);
      if (!entity) return { writes: [], result: undefined };
      const subject = entitySubject(entity);
      enforce(mayRemove(actor, subject), () => missing('entity', name));
      const { quota } = entity.value;
      if (quota > 0 && quota !== this.config.library.entityQuota && !isAdministrator(actor))
        throw new DomainError('forbidden', `Only administrators remove ${name}: it has a quota`, {
          reason: 'not_administrator',
        });
      for (const audience of [EVERYBODY, id])
        if ((await this.collections.ofEntity(id, audience, FIRST)).length > 0)
          throw notEmpty(subject, 'collections');
      return {
        writes: [
          this.entities.removal(entity),
          ...(await this.#webhooksOf(id, actor)),
          ...this.#traces('entity', entityPlace(entity), entityTerms(entity), subject, actor),
        ],
        result: undefined,
      };
    });
  }

  /** @throws DomainError `not_found`, `forbidden`, `conflict` while there is something in it */
  async removeCollection(path: string, actor: Actor): Promise<void> {
    const { id } = await this.tree.collection(path, actor);
    await commitPlan(this.database, async () => {
      const collection = await this.collections.get(id);
      if (!collection) return { writes: [], result: undefined };
      const subject = collectionSubject(collection);
      enforce(mayRemove(actor, subject), () => missing('collection', path));
      for (const audience of [EVERYBODY, collection.value.entity])
        if ((await this.containers.ofCollection(id, audience, FIRST)).length > 0)
          throw notEmpty(subject, 'containers');
      const { entityName, formerNames = [], movingTo } = collection.value;
      const former = formerNames.map(({ name }) => this.names.releaseFormer(`${entityName}/${name}`, id));
      return {
        writes: [
          this.collections.removal(collection),
          ...(await Promise.all(former)).flat(),
          ...(movingTo === undefined ? [] : [this.names.release(`${entityName}/${movingTo}`)]),
          ...this.#traces(
            'collection',
            collectionPlace(collection),
            collectionTerms(collection),
            subject,
            actor,
          ),
        ],
        result: undefined,
      };
    });
  }

  /**
   * With all its images and tags. What an interrupted removal leaves is a container with fewer images: the same request finishes it.
   * @throws DomainError `not_found`, `forbidden`
   */
  async removeContainer(path: string, actor: Actor): Promise<void> {
    const { id } = await this.tree.container(path, actor);
    for (let emptied = false; !emptied;) {
      await this.#removeImages(id, path, actor);
      await this.#removeStars(id);
      emptied = await commitPlan(this.database, async () => {
        const container = await this.containers.get(id);
        if (!container) return { writes: [], result: true };
        const subject = containerSubject(container);
        enforce(mayRemove(actor, subject), () => missing('container', path));
        if ((await this.images.ofContainer(id, 1)).length > 0) return { writes: [], result: false };
        if ((await this.stars.ofContainer(id, 1)).length > 0) return { writes: [], result: false };
        const { entityName, formerNames = [], formerPaths = [] } = container.value;
        const former = [
          ...formerNames.map((name) => placeOf({ ...subject, container: name })),
          ...formerPaths.map((path) => `${entityName}/${path}`),
        ].map((path) => this.names.releaseFormer(path, id));
        return {
          writes: [
            this.containers.removal(container),
            ...(await Promise.all(former)).flat(),
            ...this.#traces(
              'container',
              containerPlace(container),
              containerTerms(container),
              subject,
              actor,
            ),
          ],
          result: true,
        };
      });
    }
    await this.downloads.forget(id);
  }

  /**
   * The tag, and not the image that has it.
   * @param arch undefined: in every architecture
   * @throws DomainError `not_found`, `forbidden`; `conflict` when it is protected
   */
  async removeTag(path: string, tag: string, arch: string | undefined, actor: Actor): Promise<void> {
    const container = await this.tree.container(path, actor);
    enforce(mayDelete(actor, containerSubject(container)), () => missing('container', path));
    await this.protection.requireMovable(container, [tag]);
    const remove = () => this.#removeTags(container, tag, arch, actor);
    let removed = await remove();
    if (removed === 0) throw missing('tag', `${path}:${tag}`);
    while (removed === LIMITS.tagsRemoved) removed = await remove();
  }

  /** @returns how many of one name were removed, which are as many as one commit takes */
  #removeTags(container: Container, tag: string, arch: string | undefined, actor: Actor): Promise<number> {
    return commitPlan(this.database, async () => {
      const tags = (await this.tags.ofName(container.id, tag, LIMITS.tagsPerCommit))
        .filter(({ value }) => arch === undefined || value.arch === arch)
        .slice(0, LIMITS.tagsRemoved);
      const images = await Promise.all(tags.map(({ value }) => this.images.get(value.image)));
      const counted = tags.length === 0 ? [] : [this.containers.counting(container.id, -tags.length)];
      return {
        writes: [
          ...tags.map((one) => this.tags.removal(one)),
          ...counted,
          ...tags.flatMap(({ value }, index) => {
            const event = { container, tag, arch: value.arch, image: images[index]?.value, actor };
            return [this.trail.write(untagged(event)), this.feed.write(tagRemoved(event))];
          }),
        ],
        result: tags.length,
      };
    });
  }

  async #removeImages(container: string, path: string, actor: Actor): Promise<void> {
    const found: Container | undefined = await this.containers.get(container);
    if (!found) return;
    enforce(mayRemove(actor, containerSubject(found)), () => missing('container', path));
    for (;;) {
      const images = await this.images.ofContainer(container, LIMITS.sweepBatch);
      if (images.length === 0) return;
      for (const { id, value } of images) await this.imagesService.removeStored(id, value.hash, actor);
    }
  }

  async #removeStars(container: string): Promise<void> {
    for (let more = true; more;)
      more = await commitPlan(this.database, async () => {
        const stars = await this.stars.ofContainer(container, LIMITS.tagsPerCommit);
        const isThere = stars.length > 0 && (await this.containers.get(container)) !== undefined;
        const counted = isThere ? [this.containers.starring(container, -stars.length)] : [];
        return {
          writes: [...stars.map((star) => this.stars.removal(star)), ...counted],
          result: stars.length > 0,
        };
      });
  }

  /** What has to go with an object. */
  #traces(kind: SearchKind, place: Place, terms: Terms, subject: Subject, actor: Actor): Change[] {
    return [
      this.names.release(placeOf(subject)),
      ...this.terms.changes(terms, undefined),
      this.trail.write(removed(kind, subject, actor)),
      this.feed.write(placeRemoved(place, actor)),
    ];
  }

  /** What waits for them is dropped by whoever delivers. */
  async #webhooksOf(entity: string, actor: Actor): Promise<Change[]> {
    return (await this.webhooks.ofEntity(entity)).flatMap((webhook) => [
      this.webhooks.removal(webhook),
      this.trail.write(webhookEvent('webhook.delete', actor, webhook, undefined)),
    ]);
  }
}

function notEmpty(subject: Subject, what: string): DomainError {
  return new DomainError('conflict', `There are ${what} in ${placeOf(subject)}`, {
    reason: 'not_empty',
    remedy: 'Remove what is in it first.',
  });
}
