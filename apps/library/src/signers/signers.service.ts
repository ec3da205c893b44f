import { Inject, Injectable } from '@nestjs/common';
import { type BlobReader, BlobStore } from '#libs/blobs';
import { type Clock, KeyedLock, messageOf, parseDigest } from '#libs/core';
import { CLOCK, LOG, type Logger } from '#libs/server';
import { type Change, commitPlan, DATABASE, type Database } from '../database.store.js';
import { type Image, type ImageDocument, ImagesStore } from '../images/images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { TermsStore } from '../search/terms.store.js';
import { ContainersStore } from '../tree/containers.store.js';
import { examineSignatures, type Findings, type FindingsOptions } from './imageSignatures.js';
import { KeystoreKeys } from './keystoreKeys.js';
import { UNKNOWN } from './documents.store.js';
import { type Knowledge, SignaturesStore, type SignedImage } from './signatures.store.js';
import { SignerLosses } from './signerLosses.js';

/** Whose signatures count for an image at this moment. */
export interface Standing extends Pick<Knowledge, 'signatures'> {
  /** Lower-case fingerprints. */
  readonly signers: readonly string[];
  /** False: the keystore could not be asked, and had to be. */
  readonly certain: boolean;
}

/** How often in a row signatures are looked at for somebody who waits. */
const LOOKS = 5;
const UNSIGNED: Standing = { signers: [], signatures: [], certain: true };

/**
 * Who has signed which image. Signatures are looked at when an image arrives, when one of their keys changes or ends, and again until
 * the keystore has answered. Of all that, what is still to be done is in the documents: a restart goes on with it.
 */
@Injectable()
export class SignersService {
  readonly #locks = new KeyedLock();
  readonly #stopping = new AbortController();

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly keys: KeystoreKeys,
    private readonly store: SignaturesStore,
    private readonly images: ImagesStore,
    private readonly containers: ContainersStore,
    private readonly terms: TermsStore,
    private readonly losses: SignerLosses,
  ) {}

  /** Looks at the signatures of bytes, also of such as are nobody's yet: nothing is remembered of it. */
  examine(
    source: Pick<BlobReader, 'read' | 'size'>,
    more: Pick<FindingsOptions, 'digests' | 'signal'> = {},
  ): Promise<Findings> {
    const access = {
      size: source.size,
      readInto: (into: Uint8Array, offset: number) =>
        source.read(Buffer.from(into.buffer, into.byteOffset, into.byteLength), offset),
    };
    return examineSignatures(access, {
      keys: (search) => this.keys.find(search),
      clock: this.clock,
      ...more,
    });
  }

  /**
   * Writes for an image that gets its content: its signatures are looked at right afterwards, once more where they have been: a key may
   * have changed since, when nobody knew of this image yet.
   * @param image with the members of {@link membersOf}
   * @param findings of these very bytes
   */
  announcing(
    id: string,
    { signed, fingerprints, checkedAt }: Pick<ImageDocument, 'signed' | 'fingerprints' | 'checkedAt'>,
    findings?: Findings,
  ): Change[] {
    if (!signed) return [];
    const due = this.#now();
    const known = findings?.complete === true ? foundBy(findings, checkedAt) : {};
    return this.store.announcing(id, fingerprints, { ...UNKNOWN, ...known, due });
  }

  /** The same for an image that gets a content that is there, from an image of it that the caller may have. */
  copying(
    id: string,
    image: Pick<ImageDocument, 'signed' | 'fingerprints'>,
    known: Knowledge | undefined,
  ): Change[] {
    if (!image.signed) return [];
    const value = { ...(known ?? UNKNOWN), attempts: 0, due: this.#now() };
    return this.store.announcing(id, image.fingerprints, value);
  }

  /** Members of an image's record for the same. */
  membersOf(findings: Findings | undefined): Pick<ImageDocument, 'signers' | 'checkedAt'> {
    if (findings?.complete !== true) return {};
    return { signers: fingerprintsOf(findings), checkedAt: this.clock.now().toISOString() };
  }

  /** Whose signatures count now. What nobody has looked at yet, or is in doubt, is looked at. */
  async standing(image: Image): Promise<Standing> {
    if (!image.value.signed || !image.value.uploaded) return UNSIGNED;
    let known = await this.known(image);
    // A key that changes while it is asked for makes a look worth nothing; one that is not answered is due later.
    for (let look = 0; look < LOOKS && isDue(known, this.#now()); look += 1) {
      await this.check(image.id);
      known = await this.store.get(image.id);
    }
    if (known === undefined) return { ...UNSIGNED, certain: false };
    const { signers, signatures, checkedAt, changed = false } = known.value;
    const now = this.#now();
    const counting = signers.filter(({ until }) => until === undefined || until > now);
    return {
      signers: counting.map(({ fingerprint }) => fingerprint),
      signatures,
      certain: checkedAt !== undefined && !changed,
    };
  }

  /** What is stored of an image; one from before signatures were looked at is announced. */
  async known(image: Image): Promise<SignedImage | undefined> {
    const found = await this.store.get(image.id);
    if (found !== undefined || !image.value.signed || !image.value.uploaded) return found;
    await commitPlan(this.database, async () => {
      const present = await this.images.get(image.id);
      if (present === undefined || (await this.store.get(image.id)) !== undefined)
        return { writes: [], result: undefined };
      // The record has to stay as it was read: nothing is remembered of an image that is removed at this moment.
      const unchanged = this.images.replacement(present, present.value);
      return { writes: [unchanged, ...this.announcing(image.id, present.value)], result: undefined };
    });
    return this.store.get(image.id);
  }

  /**
   * Looks at the signatures of an image when it is their time, and writes down what that shows, together with what has become of it. Never
   * fails: what could not be found out is tried again later. @returns whether something was written down
   */
  async check(id: string): Promise<boolean> {
    return this.#locks
      .run(id, () => this.#check(id))
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          this.log.warn({ image: id }, `Signatures could not be checked: ${messageOf(error)}`);
        return false;
      });
  }

  /** Ends what is read at this moment: it is begun anew by the next process. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Images with a signature by this key are looked at again, a part at a time. */
  async doubt(fingerprint: string): Promise<number> {
    const limit = this.limits.signatureBatch;
    let after = '';
    let marked = 0;
    for (;;) {
      const images = await this.store.claimedBy(fingerprint, { limit, after });
      await commitPlan(this.database, async () => {
        const writes: Change[] = [];
        for (const image of images) {
          const known = await this.store.get(image);
          if (known === undefined) continue;
          // Before everything that only waits for its turn.
          const doubted = { ...known.value, due: 0, changed: true, attempts: 0 };
          writes.push(this.store.replacement(known, doubted));
        }
        return { writes, result: undefined };
      });
      marked += images.length;
      if (images.length < limit) return marked;
      after = images.at(-1) ?? '';
    }
  }

  async #check(id: string): Promise<boolean> {
    const begun = await this.store.get(id);
    // Somebody else has just done it.
    if (begun === undefined || !isDue(begun, this.#now())) return false;
    const image = await this.images.get(id);
    if (image?.value.uploaded !== true) {
      await this.store.forget(id);
      return true;
    }
    const findings = await this.#examineStored(image, begun).catch((error: unknown) => {
      this.#stopping.signal.throwIfAborted();
      this.log.warn({ image: id }, `The signatures of an image could not be read: ${messageOf(error)}`);
      return undefined;
    });
    return commitPlan(this.database, () => this.#outcome(begun, findings));
  }

  async #examineStored({ value }: Image, { value: { digests } }: SignedImage): Promise<Findings> {
    const reader = await this.blobs.open(parseDigest(value.hash));
    try {
      return await this.examine(reader, { digests, signal: this.#stopping.signal });
    } finally {
      await reader.close();
    }
  }

  async #outcome(
    { id, revision, value }: SignedImage,
    findings: Findings | undefined,
  ): Promise<{ writes: readonly Change[]; result: boolean }> {
    const nothing = { writes: [], result: false };
    const known = await this.store.get(id);
    // A key has changed since it was asked for: whoever comes next asks again.
    if (known?.revision !== revision) return nothing;
    const image = await this.images.get(id);
    const container = image && (await this.containers.get(image.value.container));
    if (image === undefined || container === undefined) return nothing;
    if (findings?.complete !== true) {
      const { keystoreRetry, keystoreRetryLongest } = this.limits;
      const pause = Math.min(keystoreRetryLongest, keystoreRetry * 2 ** Math.min(value.attempts, 20));
      const later = {
        ...value,
        digests: findings?.digests ?? value.digests,
        attempts: value.attempts + 1,
        due: this.#now() + pause,
      };
      return { writes: [this.store.replacement(known, later)], result: true };
    }
    const signers = fingerprintsOf(findings);
    const lost = fingerprintsOf(value).filter((fingerprint) => !signers.includes(fingerprint));
    const due = this.#nextTime(findings, Date.parse(image.value.createdAt));
    const checked = { ...image.value, ...this.membersOf(findings) };
    return {
      writes: [
        this.store.replacement(known, {
          attempts: 0,
          ...foundBy(findings, checked.checkedAt),
          ...(due === undefined ? {} : { due }),
        }),
        this.images.replacement(image, checked),
        // Who searches by a signer finds what counts now.
        ...this.terms.imageChanges(container, id, image.value, checked),
        ...lost.flatMap((fingerprint) => {
          const state = findings.signatures.find((one) => one.fingerprint === fingerprint)?.state ?? 'other';
          return this.losses.telling({ image, container, fingerprint, state });
        }),
      ],
      result: true,
    };
  }

  /** When it is worth looking again although nobody says that a key has changed. @param arrived in milliseconds since 1970 */
  #nextTime({ signatures }: Findings, arrived: number): number | undefined {
    const now = this.#now();
    const { unknownKeyRetry, badSignatureRetry, badSignatureRetried } = this.limits;
    const times = signatures.flatMap(({ state, until }) => {
      if (state === 'key_unknown') return now + unknownKeyRetry;
      if (state === 'bad') return now < arrived + badSignatureRetried ? now + badSignatureRetry : [];
      return state === 'good' && until !== undefined ? Date.parse(until) : [];
    });
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #now(): number {
    return this.clock.now().getTime();
  }
}

function isDue(known: SignedImage | undefined, now: number): boolean {
  return known?.value.due !== undefined && known.value.due <= now;
}

/** @param checkedAt as the image's record has it: both are written together, and say the same */
function foundBy({ signatures, signers, digests }: Findings, checkedAt: string | undefined) {
  return { signatures, signers, digests, ...(checkedAt === undefined ? {} : { checkedAt }) };
}

function fingerprintsOf({ signers }: Pick<Findings, 'signers'>): string[] {
  return signers.map(({ fingerprint }) => fingerprint);
}
