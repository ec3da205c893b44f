import { Inject, Injectable } from '@nestjs/common';
import { BlobStore } from '#libs/blobs';
import { type Caller, Trail } from '#libs/audit';
import type { Actor, ImageRequest } from '#libs/contract';
import { type Clock, DomainError, type ImageReference, newObjectId, parseDigest } from '#libs/core';
import { CLOCK } from '#libs/server';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { type Change, commitPlan, DATABASE, type Database } from '../database.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import { type ByRules, deleted, pushed } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { imageDeleted, imagePushed } from '../events/happenings.js';
import { ProtectionService } from './protection.service.js';
import { type Image, type ImageDocument, ImagesStore } from './images.store.js';
import { DEFAULT_ARCH, LIMITS } from '../limits.js';
import { missing, NOTHING } from '../missing.js';
import {
  admit,
  enforce,
  mayDelete,
  mayDownload,
  maySeeUnfinished,
  mayWrite,
  type Subject,
} from '../policy.js';
import { containerSubject } from '../tree/subjects.js';
import { ImageTermsService } from '../search/imageTerms.service.js';
import { TermsStore } from '../search/terms.store.js';
import { TagsStore } from './tags.store.js';
import { TreeService } from '../tree/tree.service.js';
import { BlobHealth, damagedImage } from '../storage/blobHealth.store.js';
import { DoorService } from '../signers/door.service.js';
import { type Knowledge, SignaturesStore } from '../signers/signatures.store.js';
import { SignerChecks } from '../signers/signerChecks.service.js';
import { SignersService } from '../signers/signers.service.js';
import { UsageService } from '../storage/usage.service.js';
import { FinishUploadService } from '../uploads/finishUpload.service.js';
import { UploadsStore } from '../uploads/uploads.store.js';

/** An image with the container that it lies in. */
export interface FoundImage {
  readonly image: Image;
  readonly container: Container;
}

/** And for what it was asked. */
export interface LocatedImage extends FoundImage {
  /** Whether the caller is one who could upload it, and asked for it by its hash. */
  readonly forPush: boolean;
}

const NO_CONTENT = {
  uploaded: false,
  size: 0,
  format: 'other',
  signed: false,
  encrypted: false,
  fingerprints: [],
} as const satisfies Partial<ImageDocument>;

/** Images: finding, making and deleting their records. */
@Injectable()
export class ImagesService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly blobs: BlobStore,
    private readonly health: BlobHealth,
    private readonly tree: TreeService,
    private readonly images: ImagesStore,
    private readonly tags: TagsStore,
    private readonly containers: ContainersStore,
    private readonly entities: EntitiesStore,
    private readonly usage: UsageService,
    private readonly protection: ProtectionService,
    private readonly door: DoorService,
    private readonly signers: SignersService,
    private readonly signatures: SignaturesStore,
    private readonly checks: SignerChecks,
    private readonly terms: TermsStore,
    private readonly imageTerms: ImageTermsService,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
    private readonly uploads: UploadsStore,
    private readonly finishing: FinishUploadService,
  ) {}

  /**
   * The image that a reference names. By tag only what is uploaded; by hash also what is not, for whoever could upload it
   * (library contract §6.1 and §9).
   * @param arch of the tag; undefined: the default architecture, or whichever has the tag
   * @throws DomainError `not_found`; `gone` for one whose bytes are damaged, except to whoever could upload it
   */
  async find(
    reference: ImageReference,
    arch: string | undefined,
    actor: Actor | undefined,
  ): Promise<LocatedImage> {
    const { image, container, forPush } = await this.#locate(reference, arch, actor);
    if (forPush) return { image: await this.#asStored(image), container, forPush };
    await this.#requireSound(image, reference);
    return { image, container, forPush };
  }

  /** As {@link find}, for the bytes. @throws DomainError the same; `gone` for damaged ones in any case */
  async findForReading(
    reference: ImageReference,
    arch: string | undefined,
    actor: Actor | undefined,
  ): Promise<FoundImage> {
    const { image, container } = await this.#locate(reference, arch, actor);
    await this.#requireSound(image, reference);
    return { image, container };
  }

  async #locate(
    reference: ImageReference,
    arch: string | undefined,
    actor: Actor | undefined,
  ): Promise<LocatedImage> {
    const absent = () => missing('image', describe(reference));
    const { entity, collection, container: name } = reference;
    const container = await this.tree.container(`${entity}/${collection}/${name}`, actor, absent);
    if ('digest' in reference.by) {
      const image = await this.images.findByHash(container.id, reference.by.digest);
      if (!image) throw absent();
      const forPush = maySeeUnfinished(actor, containerSubject(container));
      if (!forPush && !image.value.uploaded) throw absent();
      return { image, container, forPush };
    }
    const image = await this.#byTag(container, reference.by.tag, arch);
    if (!image?.value.uploaded) throw absent();
    return { image, container, forPush: false };
  }

  /** @throws DomainError `not_found`, `forbidden` unless the actor may write to its container */
  async findForWriting(id: string, actor: Actor): Promise<FoundImage> {
    const image = await this.images.get(id);
    const found = await this.containers.get(image?.value.container ?? NOTHING);
    const rule = { subject: containerSubject, decide: (subject: Subject) => mayWrite(actor, subject) };
    const container = admit(found, rule, () => missing('image', id));
    if (!image) throw missing('image', id);
    return { image, container };
  }

  /** The record of a file in a container; the same again finds it. Content that the actor could download is not sent again. */
  async create(request: ImageRequest, actor: Actor): Promise<FoundImage> {
    const hash = parseDigest(request.hash);
    const container = await this.tree.containerById(request.container, actor);
    enforce(mayWrite(actor, containerSubject(container)), () => missing('container', request.container));
    const known = await this.#contentOf(hash, container, actor);
    // Without a transfer nobody looks at the bytes: here is the door.
    if (known !== undefined) await this.door.requirePush(known, container);
    const findings = known && (await this.signers.known(known))?.value;
    const id = await commitPlan(this.database, async () => {
      const existing = await this.images.findByHash(container.id, hash);
      if (existing) return { writes: [], result: existing.id };
      const parent = await this.containers.get(container.id);
      if (!parent) throw missing('container', request.container);
      const entity = await this.#entityOf(container);
      const { description, customData } = request;
      const made = newObjectId();
      // Without room for it the image is made without content: the upload that follows is refused with the reason.
      const fits =
        known !== undefined &&
        (await this.usage.shortage(entity, actor.username, { hash, size: known.value.size })) === undefined;
      const reused = fits ? known.value : undefined;
      const image: ImageDocument = {
        ...(reused === undefined ? NO_CONTENT : contentOf(reused, findings)),
        container: container.id,
        hash,
        description,
        customData,
        createdBy: actor.username,
        createdAt: this.clock.now().toISOString(),
      };
      const use = { entity, container, account: actor.username, hash, size: image.size };
      const gained = reused
        ? [
            ...(await this.usage.adding(use, { claimed: false, reserved: 0 })),
            ...this.signers.copying(made, image, findings),
            this.trail.write(pushed(container, image, actor)),
            this.feed.write(imagePushed(container, image, actor)),
          ]
        : // Whoever removes the container meanwhile finds this image, or this finds no container.
          [this.containers.stillThere(container.id)];
      const found = this.terms.imageChanges(parent, made, undefined, image);
      return { writes: [...this.images.creation(made, image), ...found, ...gained], result: made };
    });
    if (known !== undefined) await this.imageTerms.settle(container.id, [id]);
    const image = await this.images.get(id);
    if (!image) throw missing('image', id);
    if (findings !== undefined) this.checks.nudge();
    return { image: await this.#asStored(image), container };
  }

  /**
   * Deletes the record, all its tags in all architectures, and the content when nobody else needs it. What it was is returned.
   * @throws DomainError `not_found`, `forbidden`; `conflict` while one of its tags is protected
   */
  async remove(reference: ImageReference, arch: string | undefined, actor: Actor): Promise<FoundImage> {
    const found = await this.#locate(reference, arch, actor);
    enforce(mayDelete(actor, containerSubject(found.container)), () => missing('image', describe(reference)));
    await this.protection.requireRemovable(found.image, found.container);
    await this.removeStored(found.image.id, found.image.value.hash, actor);
    return { image: found.image, container: found.container };
  }

  /**
   * The same, for whoever is known to be allowed to, or, null, for rules. One that is gone already is fine.
   * @param how.isMeant asked right before, and again when somebody was faster in changing the image: false lets it stay
   */
  async removeStored(
    id: string,
    hash: string,
    actor: Caller | null,
    how: { readonly by?: ByRules; readonly isMeant?: () => Promise<boolean> } = {},
  ): Promise<void> {
    const { unused, isGone } = await commitPlan(this.database, () => this.#removal(id, actor, how));
    if (!isGone) return;
    if (unused) await this.usage.discard(hash);
    // Nobody can go on with them any more: what they hold is given back now, or by the sweep.
    for (const { id: upload, value } of await this.uploads.ofImage(id, LIMITS.uploadsPerImage))
      if (value.state === 'open') await this.finishing.end(upload).catch(() => undefined);
  }

  /** Whether the bytes of an image are there and right: also when its record says so, they may have been lost or damaged. */
  async isStored({ value: { uploaded, hash, size } }: Image): Promise<boolean> {
    if (!uploaded || (await this.blobs.sizeOf(parseDigest(hash))) !== size) return false;
    return !(await this.health.isDamaged(hash));
  }

  /** Nobody gets bytes that are known to be others than were pushed. */
  async #requireSound({ value }: Image, reference: ImageReference): Promise<void> {
    if (value.uploaded && (await this.health.isDamaged(value.hash))) throw damagedImage(describe(reference));
  }

  async #removal(
    id: string,
    actor: Caller | null,
    { by, isMeant }: { readonly by?: ByRules; readonly isMeant?: () => Promise<boolean> },
  ): Promise<{ writes: Change[]; result: { readonly unused: boolean; readonly isGone: boolean } }> {
    const image = await this.images.get(id);
    if (!image) return { writes: [], result: { unused: false, isGone: true } };
    // Behind the image: whoever gives it a tag, or notes a pull, writes it, too.
    if ((await isMeant?.()) === false) return { writes: [], result: { unused: false, isGone: false } };
    const container = await this.containers.get(image.value.container);
    if (!container) throw missing('image', id);
    await this.#removeManyTags(image, container);
    const tags = await this.tags.ofImage(id, LIMITS.tagsPerCommit);
    const writes = [
      ...this.images.removal(image),
      ...this.signatures.removing(image),
      ...tags.map((tag) => this.tags.removal(tag)),
      ...this.terms.imageChanges(container, id, image.value, undefined),
      this.trail.write(deleted(container, image.value, actor, by)),
    ];
    // One without content was never there for anybody else.
    if (image.value.uploaded) writes.push(this.feed.write(imageDeleted(container, image.value, actor)));
    if (tags.length > 0) writes.push(this.containers.counting(container.id, -tags.length));
    if (!image.value.uploaded) return { writes, result: { unused: false, isGone: true } };
    const { hash, size } = image.value;
    const removal = await this.usage.removing({
      entity: await this.#entityOf(container),
      container,
      hash,
      size,
    });
    return { writes: [...writes, ...removal.changes], result: { unused: removal.last, isGone: true } };
  }

  /** More tags than one commit takes go first. */
  async #removeManyTags(image: Image, container: Container): Promise<void> {
    let more = true;
    while (more) {
      more = await commitPlan(this.database, async () => {
        const tags = await this.tags.ofImage(image.id, LIMITS.tagsPerCommit + 1);
        if (tags.length <= LIMITS.tagsPerCommit) return { writes: [], result: false };
        const removals = tags.slice(0, LIMITS.tagsPerCommit).map((tag) => this.tags.removal(tag));
        return {
          writes: [...removals, this.containers.counting(container.id, -removals.length)],
          result: true,
        };
      });
    }
  }

  async #byTag(container: Container, tag: string, arch: string | undefined): Promise<Image | undefined> {
    const found = await this.tags.get(container.id, arch ?? DEFAULT_ARCH, tag);
    const image = await this.images.get(found?.value.image ?? NOTHING);
    if (arch !== undefined || image?.value.uploaded === true) return image;
    const [other] = await this.tags.ofName(container.id, tag, 1);
    return this.images.get(other?.value.image ?? NOTHING);
  }

  /**
   * What is known of a content that the actor may have from anywhere: where an entity does not let it out, it is not had by way of another
   * entity. Nobody learns here what others have: as many containers are asked for as there may be, in one question.
   */
  async #contentOf(hash: string, { value: target }: Container, actor: Actor): Promise<Image | undefined> {
    const most = LIMITS.sameContent;
    const images = (await this.images.withHash(hash, most)).filter(({ value }) => value.uploaded);
    const asked = Array.from(
      { length: most },
      (_, index) => images[index]?.value.container ?? String(index).padStart(NOTHING.length, '0'),
    );
    const containers = new Map((await this.containers.getMany(asked)).map((one) => [one.id, one]));
    for (const image of images) {
      const container = containers.get(image.value.container);
      if (container === undefined || !mayDownload(actor, containerSubject(container)).allowed) continue;
      const isGiven = container.value.entity === target.entity || (await this.#isLetOut(image, container));
      if (isGiven && (await this.isStored(image))) return image;
    }
    return undefined;
  }

  async #isLetOut(image: Image, container: Container): Promise<boolean> {
    try {
      await this.door.requirePull(image, container);
      return true;
    } catch (error) {
      if (error instanceof DomainError) return false;
      throw error;
    }
  }

  /** A record whose bytes were lost says so, so that the next push brings them again (library contract §9). */
  async #asStored(image: Image): Promise<Image> {
    if (!image.value.uploaded || (await this.isStored(image))) return image;
    return { ...image, value: { ...image.value, uploaded: false } };
  }

  async #entityOf(container: Container): Promise<Entity> {
    const entity = await this.entities.get(container.value.entity);
    if (!entity) throw new DomainError('not_found', `There is no entity ${container.value.entityName}`);
    return entity;
  }
}

function describe({ entity, collection, container, by }: ImageReference): string {
  return `${entity}/${collection}/${container}:${'tag' in by ? by.tag : by.digest}`;
}

/**
 * What an image with the content of another one says of that content: not when somebody pulled the other one, nor what else is of that
 * alone. Who has signed it is what was read with the rest of what is known of the signatures.
 */
function contentOf(
  { size, format, arch, signed, encrypted, fingerprints, labels }: ImageDocument,
  known: Knowledge | undefined,
) {
  return {
    uploaded: true,
    size,
    format,
    signed,
    encrypted,
    fingerprints,
    ...(arch === undefined ? {} : { arch }),
    ...(labels === undefined ? {} : { labels }),
    ...(known?.checkedAt === undefined
      ? {}
      : {
          signers: known.signers.map(({ fingerprint }) => fingerprint),
          checkedAt: known.checkedAt,
        }),
  };
}
