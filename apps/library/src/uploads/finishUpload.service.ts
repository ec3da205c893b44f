import { Inject, Injectable } from '@nestjs/common';
import { type Caller, Trail } from '#libs/audit';
import { BlobStore, type BlobUpload } from '#libs/blobs';
import { type Clock, DomainError, KeyedLock, parseDigest } from '#libs/core';
import { CLOCK, Metrics } from '#libs/server';
import { ContainersStore } from '../tree/containers.store.js';
import { BlobHealth } from '../storage/blobHealth.store.js';
import { ContentsStore } from '../storage/contents.store.js';
import { type Change, commitPlan, DATABASE, type Database } from '../database.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import { pushed, uploader } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { imagePushed } from '../events/happenings.js';
import { type ImageFacts, readImageFacts } from '../images/imageFacts.js';
import { ImagesStore } from '../images/images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { ImageTermsService } from '../search/imageTerms.service.js';
import { TermsStore } from '../search/terms.store.js';
import { type Upload, UploadsStore } from './uploads.store.js';
import { overQuota, type Shortage } from '../storage/quota.js';
import { UsageService } from '../storage/usage.service.js';
import { DoorService } from '../signers/door.service.js';
import type { Findings } from '../signers/imageSignatures.js';
import { SignerChecks } from '../signers/signerChecks.service.js';
import { SignersService } from '../signers/signers.service.js';

interface Outcome {
  readonly writes: readonly Change[];
  readonly result: {
    /** The blob is nobody's any more. */
    readonly unused: boolean;
    /** There is no room for the content, which was the entity's when the upload began, any more: the upload has ended. */
    readonly short?: Shortage;
  };
}
/** What has become a blob. */
interface Stored {
  readonly facts: ImageFacts;
  /** In the place of damaged bytes. */
  readonly replaced: boolean;
  /** What was found out at the door of the entity; undefined: it was let in before a crash. */
  readonly arrival?: Arrival;
}
/** Bytes that were let in. */
interface Arrival {
  /** Where somebody must have signed what is pushed. */
  readonly findings: Findings | undefined;
}
const NOTHING_RESERVED = { reserved: 0, accountReserved: 0 } as const;
const NOTHING: Outcome = { writes: [], result: { unused: false } };

/**
 * The end of an upload, good or bad. An upload claims its content when it begins, so that nobody removes the blob meanwhile.
 * The order makes a crash leave garbage and never an image without bytes: the blob becomes durable first, then one commit says
 * that the image is there. What is interrupted between is finished or taken back at the next start.
 */
@Injectable()
export class FinishUploadService {
  readonly #locks = new KeyedLock();
  readonly #pushes;

  constructor(
    metrics: Metrics,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly health: BlobHealth,
    private readonly uploads: UploadsStore,
    private readonly images: ImagesStore,
    private readonly containers: ContainersStore,
    private readonly entities: EntitiesStore,
    private readonly contents: ContentsStore,
    private readonly usage: UsageService,
    private readonly door: DoorService,
    private readonly signers: SignersService,
    private readonly checks: SignerChecks,
    private readonly terms: TermsStore,
    private readonly imageTerms: ImageTermsService,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
  ) {
    this.#pushes = metrics.counter({
      name: 'scs_library_pushes_total',
      help: 'Images that were stored',
      labels: {},
    });
  }

  /**
   * Checks length and hash, stores, and makes the image visible. Acknowledge only when this has resolved.
   * @param actor who asked for it
   * @param requireAllowed asked when all bytes were checked, which takes its time; nothing becomes visible when it throws
   * @throws DomainError `unprocessable` when the bytes are not what was promised, `gone`, `out_of_space`, `conflict`; `forbidden` when
   *   nobody has signed them who must have, `unavailable` when that cannot be said
   */
  async store(
    upload: Upload,
    blob: BlobUpload,
    actor: Caller,
    requireAllowed: () => Promise<void>,
  ): Promise<void> {
    await this.#locks.run(upload.id, async () => {
      const stored = await blob.keepOpen(() => this.#commit(upload, blob, requireAllowed));
      if (stored) await this.#publish(upload, stored, actor);
      else await this.publishStored(upload, actor);
    });
  }

  /** Makes the bytes a blob. @returns what they contain; nothing when they had become one before a crash */
  async #commit(
    upload: Upload,
    blob: BlobUpload,
    requireAllowed: () => Promise<void>,
  ): Promise<Stored | undefined> {
    const digest = parseDigest(upload.value.hash);
    const wasStored = await this.wasStored(upload, blob);
    if (!wasStored) await blob.verify(digest);
    const facts = wasStored ? undefined : await blob.read(readImageFacts);
    const findings =
      facts && (await this.door.requireArrival(upload.value.entity, facts, (use) => blob.read(use)));
    await requireAllowed();
    if (facts === undefined) return undefined;
    // What came in one piece was checked when it came. Of parts nothing says after a crash that they were right but this.
    if (upload.value.kind === 'multipart') await commitPlan(this.database, () => this.#marking(upload.id));
    const replace = await this.health.isDamaged(digest);
    try {
      await blob.commit(digest, { replace });
    } catch (error) {
      await this.takeBack(upload.id);
      throw error;
    }
    return { facts, replaced: replace, arrival: { findings } };
  }

  /** Whether a crash came between the blob and the image: all bytes were right, and they have moved to the blob. */
  async wasStored(upload: Upload, blob: BlobUpload): Promise<boolean> {
    const { kind, state, hash, size } = upload.value;
    const checked =
      kind === 'single' ? (await this.uploads.part(upload.id, 1)) !== undefined : state === 'storing';
    if (!checked || (await blob.isPresent()) || (await this.blobs.sizeOf(parseDigest(hash))) !== size)
      return false;
    // Where the crash came while damaged bytes were replaced, these are looked at: they may still be the old ones.
    return !(await this.health.isDamaged(hash)) || (await this.health.examine(hash)).state === 'good';
  }

  /** Makes the image of a blob that is there visible. @param actor who asked for it; whoever began it, when nobody does any more */
  async publishStored(upload: Upload, actor: Caller = uploader(upload)): Promise<void> {
    const reader = await this.blobs.open(parseDigest(upload.value.hash));
    try {
      await this.#publish(upload, { facts: await readImageFacts(reader), replaced: false }, actor);
    } finally {
      await reader.close();
    }
  }

  /** The blob could not be stored: the upload is open again. */
  async takeBack(uploadId: string): Promise<void> {
    await commitPlan(this.database, async () => {
      const upload = await this.uploads.get(uploadId);
      if (upload?.value.state !== 'storing') return { writes: [], result: undefined };
      return {
        writes: [this.uploads.replacement(upload, { ...upload.value, state: 'open' })],
        result: undefined,
      };
    });
  }

  /** Gives an upload up: its space, its bytes and its memory. One that is just being stored goes first. Idempotent. */
  async end(uploadId: string): Promise<void> {
    await this.#locks.run(uploadId, async () => {
      const ended = await commitPlan(this.database, () => this.#ending(uploadId));
      if (!ended) return;
      const { upload, unused } = ended;
      const { size, partSize, hash } = upload.value;
      await this.blobs.upload({ id: uploadId, size, partSize }).cancel();
      if (unused) await this.usage.discard(hash);
      await this.uploads.deleteParts(uploadId);
      await this.uploads.delete(uploadId);
    });
  }

  async #ending(
    uploadId: string,
  ): Promise<{ writes: readonly Change[]; result: { upload: Upload; unused: boolean } | undefined }> {
    const upload = await this.uploads.get(uploadId);
    if (!upload || upload.value.state === 'storing') return { writes: [], result: undefined };
    if (upload.value.state !== 'open') return { writes: [], result: { upload, unused: false } };
    const { writes, last } = await this.#release(upload, await this.entities.get(upload.value.entity));
    return { writes, result: { upload, unused: last } };
  }

  /** The writes that end an upload without an image: its claim and its reservations are given back. */
  async #release(upload: Upload, entity: Entity | undefined): Promise<{ writes: Change[]; last: boolean }> {
    const { changes, last } = await this.usage.releasing(upload.value.hash);
    const ended = { ...upload.value, ...NOTHING_RESERVED, state: 'ended' } as const;
    const given = await this.usage.givingBack(entity, upload.value);
    return { writes: [this.uploads.replacement(upload, ended), ...changes, ...given], last };
  }

  async #marking(uploadId: string): Promise<{ writes: readonly Change[]; result: undefined }> {
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.state !== 'open')
      throw new DomainError('conflict', 'The upload has ended', { reason: 'upload_closed' });
    return {
      writes: [this.uploads.replacement(upload, { ...upload.value, state: 'storing' })],
      result: undefined,
    };
  }

  async #publish({ id, value: { hash, size } }: Upload, stored: Stored, actor: Caller): Promise<void> {
    let outcome: Outcome['result'];
    try {
      outcome = await commitPlan(this.database, () => this.#publication(id, stored, actor));
    } catch (error) {
      // The rule of the door is younger than the look at these bytes: they are not let in, and can be given up.
      if (error instanceof DomainError && error.reason === 'signer_required') await this.takeBack(id);
      throw error;
    }
    const { unused, short } = outcome;
    if (unused) await this.usage.discard(hash);
    if (short !== undefined) {
      await this.uploads.deleteParts(id);
      await this.uploads.delete(id);
      throw overQuota(short);
    }
    if (stored.facts.signed) this.checks.nudge();
    // Its parts are forgotten together with it, by the sweep: the client does not wait for that.
    const upload = await this.uploads.get(id);
    if (upload?.value.state === 'complete') {
      this.#pushes({});
      // Others may have come to see its container, or no longer, at this very moment.
      await this.imageTerms.settle(upload.value.container, [upload.value.image]);
      return;
    }
    // Another replica has given it up at this very moment: if nobody else needs the blob, it goes again.
    await commitPlan(this.database, async () => ({
      writes: [await this.contents.claim(hash, size)],
      result: undefined,
    }));
    const last = await commitPlan(this.database, async () => {
      const release = await this.usage.releasing(hash);
      return { writes: release.changes, result: release.last };
    });
    if (last) await this.usage.discard(hash);
    throw new DomainError('conflict', 'The upload has ended', { reason: 'upload_closed' });
  }

  async #publication(
    uploadId: string,
    { facts, replaced, arrival }: Stored,
    actor: Caller,
  ): Promise<Outcome> {
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.state !== 'storing' && upload?.value.state !== 'open') return NOTHING;
    const { hash, size, username: account, reserved, accountReserved } = upload.value;
    const doneAt = this.clock.now().getTime();
    const complete = this.uploads.replacement(upload, {
      ...upload.value,
      ...NOTHING_RESERVED,
      state: 'complete',
      doneAt,
      expiresAt: doneAt + this.limits.uploadMemory,
    });
    const image = await this.images.get(upload.value.image);
    const container = await this.containers.get(upload.value.container);
    const entity = await this.entities.get(upload.value.entity);
    const mending = replaced ? await this.health.mending(hash) : [];
    if (!image || image.value.uploaded || !container || !entity) {
      // Removed meanwhile, perhaps with all that it was in, or another upload of the same file was faster: only the claim and the reservation are left.
      const release = await this.usage.releasing(hash);
      const given = await this.usage.givingBack(entity, upload.value);
      return {
        writes: [complete, ...release.changes, ...given, ...mending],
        result: { unused: release.last },
      };
    }
    const have = { reserved, accountReserved };
    const short = await this.usage.shortage(entity, account, { hash, size }, have);
    if (short !== undefined) {
      const { writes, last } = await this.#release(upload, entity);
      return { writes: [...writes, ...mending], result: { unused: last, short } };
    }
    if (arrival !== undefined) this.door.requireFound('push', entity, arrival.findings);
    const { format, arch, signed, encrypted, fingerprints, labels } = facts;
    const found = {
      format,
      signed,
      encrypted,
      fingerprints: [...fingerprints],
      labels: [...labels],
      ...(arch === undefined ? {} : { arch }),
      ...this.signers.membersOf(arrival?.findings),
    };
    const counted = await this.usage.adding(
      { entity, container, account, hash, size },
      { claimed: true, ...have },
    );
    const value = { ...image.value, ...found, size, uploaded: true };
    return {
      writes: [
        complete,
        this.images.replacement(image, value),
        ...this.signers.announcing(image.id, value, arrival?.findings),
        ...this.terms.imageChanges(container, image.id, image.value, value),
        ...counted,
        ...mending,
        this.trail.write(pushed(container, value, actor)),
        this.feed.write(imagePushed(container, value, actor)),
      ],
      result: { unused: false },
    };
  }
}
