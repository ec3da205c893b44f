import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor } from '#libs/contract';
import { type Clock, DomainError, expected, isTag } from '#libs/core';
import { CLOCK } from '#libs/server';
import { BegunService } from '../uploads/begun.service.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { commitPlan, DATABASE, type Database } from '../database.store.js';
import { tagged } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { tagSet } from '../events/happenings.js';
import { ProtectionService } from './protection.service.js';
import { type Image, ImagesStore } from './images.store.js';
import { DEFAULT_ARCH, LIMITS } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, mayListTags, mayMove, mayWrite } from '../policy.js';
import { DoorService } from '../signers/door.service.js';
import { containerSubject } from '../tree/subjects.js';
import { type Tag, TagsStore } from './tags.store.js';
import { TreeService } from '../tree/tree.service.js';

/** `{arch: {tag: image id}}`. */
export type ArchTags = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Tags: each architecture of a container has its own. */
@Injectable()
export class TagsService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly tree: TreeService,
    private readonly tags: TagsStore,
    private readonly images: ImagesStore,
    private readonly containers: ContainersStore,
    private readonly protection: ProtectionService,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
    private readonly begun: BegunService,
    private readonly door: DoorService,
  ) {}

  /** For whoever is about to change them (library contract §5 nos. 15 and 17). */
  async list(containerId: string, actor: Actor): Promise<ArchTags> {
    const container = await this.tree.containerById(containerId, actor);
    enforce(mayListTags(actor, containerSubject(container)), () => missing('container', containerId));
    return this.ofContainer(container);
  }

  /** @param most fewer than all of them, for an answer with many containers */
  async ofContainer(container: Container, most?: number): Promise<ArchTags> {
    return byArch(await this.tags.ofContainer(container.id, most));
  }

  /**
   * Sets a tag, or moves it here from another image. A finished image never loses its tag to one that is not uploaded yet.
   * @param arch undefined: the image's own, else the default one
   * @throws DomainError `bad_request`, `not_found`, `forbidden`, `conflict`, `unprocessable`
   */
  async set(options: {
    readonly container: string;
    readonly tag: string;
    readonly image: string;
    readonly arch: string | undefined;
    readonly actor: Actor;
  }): Promise<void> {
    const { actor, tag } = options;
    await this.begun.requirePushed(actor, options.image);
    const container = await this.tree.containerById(options.container, actor);
    enforce(mayWrite(actor, containerSubject(container)), () => missing('container', options.container));
    if (!isTag(tag))
      throw new DomainError(
        'bad_request',
        expected(
          'letters, digits, ".", "_", "-", beginning and ending in a letter, digit or "_",',
          'a tag',
          tag,
        ),
        { reason: 'invalid_tag' },
      );
    // What is there already is pushed again by a tag: stock clients send nothing else then (library contract §6.1).
    const there = await this.images.get(options.image);
    if (there?.value.container === container.id && there.value.uploaded)
      await this.door.requirePush(there, container);
    await commitPlan(this.database, async () => {
      const image = await this.images.get(options.image);
      if (image?.value.container !== container.id) throw missing('image', options.image);
      const arch = options.arch ?? image.value.arch ?? DEFAULT_ARCH;
      const present = await this.tags.get(container.id, arch, tag);
      if (present?.value.image === image.id) return { writes: [], result: undefined };
      const { username: updatedBy } = actor;
      const updatedAt = this.clock.now().toISOString();
      const value = { container: container.id, arch, tag, image: image.id, updatedBy, updatedAt };
      // An image that is deleted at this moment gets no tag: its record has to be as it was read.
      const unchanged = this.images.replacement(image, image.value);
      const event = { container, tag, arch, image: image.value, actor };
      if (present) {
        // Whatever the tag is called, and whatever has it: a token that may only create moves none.
        enforce(mayMove(actor, containerSubject(container)), () => missing('container', options.container));
        const before = await this.images.get(present.value.image);
        refuseDowngrade(before, image);
        if (before?.value.uploaded === true) await this.protection.requireMovable(container, [tag]);
        const move = { ...event, moved: true, before: before?.value };
        const told = [this.trail.write(tagged(move)), this.feed.write(tagSet(move))];
        return { writes: [unchanged, this.tags.replacement(present, value), ...told], result: undefined };
      }
      const set = { ...event, moved: false, before: undefined };
      const told = [this.trail.write(tagged(set)), this.feed.write(tagSet(set))];
      return {
        writes: [unchanged, this.tags.creation(value), this.containers.counting(container.id, 1), ...told],
        result: undefined,
        onBounds: () => {
          throw new DomainError('unprocessable', `A container has at most ${LIMITS.tagsPerContainer} tags`, {
            reason: 'too_many_tags',
          });
        },
      };
    });
  }
}

function refuseDowngrade(current: Image | undefined, image: Image): void {
  if (!image.value.uploaded && current?.value.uploaded === true)
    throw new DomainError('conflict', 'The image is not uploaded yet: the tag stays where it is', {
      reason: 'not_uploaded',
    });
}

/**
 * The view without architectures: the default one's tags, and where it has none of a name, another's (library contract §9).
 */
export function withoutArch(tags: ArchTags): Readonly<Record<string, string>> {
  const view: Record<string, string> = Object.create(null) as Record<string, string>;
  const others = Object.keys(tags)
    .filter((arch) => arch !== DEFAULT_ARCH)
    .sort()
    .toReversed();
  for (const arch of [...others, DEFAULT_ARCH]) Object.assign(view, tags[arch]);
  return view;
}

function byArch(tags: readonly Tag[]): ArchTags {
  // Tags and architectures come from clients: no name may mean anything to the language.
  const result: Record<string, Record<string, string>> = Object.create(null) as Record<
    string,
    Record<string, string>
  >;
  for (const { value } of tags)
    (result[value.arch] ??= Object.create(null) as Record<string, string>)[value.tag] = value.image;
  return result;
}
