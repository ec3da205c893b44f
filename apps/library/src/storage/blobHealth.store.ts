import type { Trail } from '#libs/audit';
import type { BlobStore } from '#libs/blobs';
import { type Clock, DomainError, parseDigest } from '#libs/core';
import type { Collection, Documents, Stored, Write } from '#libs/documents';
import { damaged, mended } from '../events.js';
import { LIMITS } from '../limits.js';
import { type BlobReading, readBlob, type ReadingOptions } from './blobBytes.js';
import {
  type ContentDocument,
  type ContentIndex,
  CONTENTS,
  type DamageDocument,
  type DamageIndex,
  type DamageReason,
  DAMAGES,
} from './documents.store.js';

/** A blob with other bytes than its name says. */
export type Damage = Stored<DamageDocument>;

/** What hashing a blob has shown. `absent`: it is not there, or nobody's. */
export type Verdict =
  | { readonly state: 'good' | 'absent'; readonly size: number }
  | { readonly state: 'damaged'; readonly size: number; readonly reason: DamageReason };

export interface BlobHealthParts {
  readonly database: Documents;
  readonly blobs: BlobStore;
  readonly trail: Trail;
  readonly clock: Clock;
  /** Told once of each blob that was found damaged. */
  readonly onDamage?: (hash: string, reason: DamageReason) => void;
}

/**
 * Which blobs are damaged, and how that is found out. An image whose blob is damaged counts as not uploaded: the next push of the
 * same content replaces the bytes. Knows no framework: `scs library check --offline` uses it too.
 */
export class BlobHealth {
  readonly #parts: BlobHealthParts;
  readonly #damages: Collection<DamageDocument, DamageIndex>;
  readonly #contents: Collection<ContentDocument, ContentIndex>;

  constructor(parts: BlobHealthParts) {
    this.#parts = parts;
    this.#damages = parts.database.collection<DamageDocument, DamageIndex>(DAMAGES);
    this.#contents = parts.database.collection<ContentDocument, ContentIndex>(CONTENTS);
  }

  async isDamaged(hash: string): Promise<boolean> {
    return (await this.damageOf(hash)) !== undefined;
  }

  /** What is wrong with a blob, as far as it is known. */
  async damageOf(hash: string): Promise<DamageReason | undefined> {
    return (await this.#damages.get(hash))?.value.reason;
  }

  /** The damaged ones, in the order in which they were found. @param from the cursor of the part before */
  async list(
    limit: number,
    from?: string,
  ): Promise<{ damages: readonly Damage[]; next: string | undefined }> {
    const options = { limit, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await this.#damages.scan('byTime', options);
    return { damages: items, next: cursor };
  }

  /** Writes that say that good bytes have taken the place of damaged ones; none when it was not damaged. */
  async mending(hash: string): Promise<Write[]> {
    const known = await this.#damages.get(hash);
    return known === undefined ? [] : this.#mending(known);
  }

  /** After the blob of a content that nobody needs was removed, and before the content can be claimed again. */
  async forget(hash: string): Promise<void> {
    await this.#damages.delete(hash);
  }

  /**
   * Hashes a blob, and writes down what that shows when it is another thing than was known. What looks damaged is read twice, and
   * is not called damaged when anybody claimed or gave up the content meanwhile: it may have been replaced under our hands.
   * @throws DomainError when the store cannot be asked, `conflict` when the content is being changed all the time
   */
  async examine(hash: string, options: ReadingOptions = {}): Promise<Verdict> {
    const digest = parseDigest(hash);
    for (let attempt = 0; attempt < LIMITS.checkAttempts; attempt += 1) {
      const [content, known] = [await this.#contents.get(hash), await this.#damages.get(hash)];
      const reading = await readBlob(this.#parts.blobs, digest, options);
      const reason = faultOf(reading, hash, content?.value.size);
      if (reading.state === 'absent' || reason === undefined) {
        const size = reading.state === 'read' ? reading.size : 0;
        const isMended = reading.state === 'read' && known !== undefined;
        if (isMended && !(await this.#commit(this.#mending(known)))) continue;
        return { state: reading.state === 'absent' ? 'absent' : 'good', size };
      }
      const size = reading.state === 'read' ? reading.size : 0;
      if (known !== undefined) return { state: 'damaged', size, reason };
      if (content?.value.state !== 'claimed') return { state: 'absent', size };
      const again = await readBlob(this.#parts.blobs, digest, options);
      if (faultOf(again, hash, content.value.size) === undefined) continue;
      // One of a wrong length is replaced by any push, without having been called damaged.
      if (again.state === 'read' && (await this.#parts.blobs.sizeOf(digest)) !== again.size) continue;
      if (!(await this.#commit(this.#damaging(content, { reason, size })))) continue;
      this.#parts.onDamage?.(hash, reason);
      return { state: 'damaged', size, reason };
    }
    throw new DomainError('conflict', `The content ${hash} is being changed all the time`);
  }

  #damaging(
    content: Stored<ContentDocument>,
    { reason, size }: Pick<DamageDocument, 'reason' | 'size'>,
  ): Write[] {
    const hash = content.id;
    const since = this.#parts.clock.now().toISOString();
    const value: DamageDocument = { reason, size, since };
    return [
      // Nobody has claimed it or given it up since it was read, nor called it damaged, without which nobody replaces it.
      this.#contents.write.replace(hash, content.revision, content.value),
      this.#damages.write.insert(hash, value),
      this.#parts.trail.write(damaged(hash, content.value.size, reason)),
    ];
  }

  #mending({ id, revision }: Damage): Write[] {
    return [this.#damages.write.delete(id, revision), this.#parts.trail.write(mended(id))];
  }

  async #commit(writes: readonly Write[]): Promise<boolean> {
    return (await this.#parts.database.commit(writes)).ok;
  }
}

/** What is wrong with bytes that were read. @param size that they should have, as far as anybody knows */
function faultOf(reading: BlobReading, hash: string, size: number | undefined): DamageReason | undefined {
  if (reading.state === 'unreadable') return 'unreadable';
  if (reading.state === 'absent' || reading.digest === hash) return undefined;
  return size !== undefined && reading.size !== size ? 'wrong_size' : 'wrong_hash';
}

/** What is said instead of bytes that are not what they should be. Stock clients show the sentence (library contract §3). */
export function damagedImage(name: string): DomainError {
  return new DomainError('gone', `The bytes of ${name} are damaged on the disk of the library`, {
    reason: 'image_damaged',
    remedy: 'Push the same image again, which replaces them, or ask the operator of the library.',
  });
}
