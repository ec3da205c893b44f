import type { Digest } from '#libs/core';
import type {
  BlobDriver,
  BlobListing,
  BlobReader,
  TemporaryBlob,
  TemporaryListing,
  TemporaryPiece,
} from './driver.js';
import { blobKey, type BlobKey, readBlobKey, type TemporaryKey } from './layout.js';

interface Bytes {
  data: Buffer;
  length: number;
  modifiedAt: Date;
}

/** Keeps blobs in the memory of the process: for tests. */
export class MemoryBlobDriver implements BlobDriver {
  readonly name = 'memory';
  readonly #blobs = new Map<BlobKey, { readonly data: Buffer; readonly storedAt: Date }>();
  readonly #temporaries = new Map<TemporaryKey, Bytes>();

  async sizeOf(key: BlobKey): Promise<number | undefined> {
    return this.#blobs.get(key)?.data.length;
  }

  async open(key: BlobKey): Promise<BlobReader | undefined> {
    const data = this.#blobs.get(key)?.data;
    return (
      data && {
        size: data.length,
        read: async (target, at) => data.copy(target, 0, at),
        close: async () => undefined,
      }
    );
  }

  async remove(key: BlobKey): Promise<boolean> {
    return this.#blobs.delete(key);
  }

  async openTemporary(key: TemporaryKey, options: { create: boolean }): Promise<TemporaryBlob | undefined> {
    let bytes = this.#temporaries.get(key);
    if (!bytes) {
      if (!options.create) return undefined;
      bytes = { data: Buffer.alloc(0), length: 0, modifiedAt: new Date() };
      this.#temporaries.set(key, bytes);
    }
    return new MemoryTemporary(bytes);
  }

  async publish(
    from: TemporaryKey,
    to: BlobKey,
    { replace }: { readonly replace: boolean } = { replace: false },
  ): Promise<void> {
    const bytes = this.#temporaries.get(from);
    if (!bytes) throw new Error(`Expected the bytes ${from}, got nothing`);
    this.#temporaries.delete(from);
    if (replace || this.#blobs.get(to)?.data.length !== bytes.length)
      this.#blobs.set(to, { data: bytes.data.subarray(0, bytes.length), storedAt: bytes.modifiedAt });
  }

  async discard(key: TemporaryKey): Promise<void> {
    this.#temporaries.delete(key);
  }

  async listTemporaries(): Promise<readonly TemporaryListing[]> {
    return [...this.#temporaries].map(([key, { modifiedAt }]) => ({ key, modifiedAt }));
  }

  async list(after: Digest | undefined, limit: number): Promise<readonly BlobListing[]> {
    const last = after === undefined ? '' : blobKey(after);
    const keys = [...this.#blobs.keys()].filter((key) => key > last).sort();
    return keys.slice(0, limit).flatMap((key) => {
      const [digest, blob] = [readBlobKey(key), this.#blobs.get(key)];
      return digest && blob ? [{ digest, size: blob.data.length, storedAt: blob.storedAt }] : [];
    });
  }

  async freeBytes(): Promise<number | undefined> {
    return undefined;
  }
}

class MemoryTemporary implements TemporaryBlob {
  readonly #bytes: Bytes;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  begin(start: number): TemporaryPiece {
    let at = start;
    return {
      write: async (chunks) => {
        at = this.#write(chunks, at);
      },
      keep: async () => undefined,
      drop: async () => undefined,
    };
  }

  /** @returns the position behind what was written */
  #write(chunks: readonly Buffer[], position: number): number {
    const bytes = this.#bytes;
    const end = chunks.reduce((sum, chunk) => sum + chunk.length, position);
    if (end > bytes.data.length) {
      const grown = Buffer.alloc(Math.max(end, bytes.data.length * 2));
      bytes.data.copy(grown, 0, 0, bytes.length);
      bytes.data = grown;
    }
    let at = position;
    for (const chunk of chunks) at += chunk.copy(bytes.data, at);
    bytes.length = Math.max(bytes.length, end);
    bytes.modifiedAt = new Date();
    return end;
  }

  async read(target: Buffer, position: number): Promise<number> {
    return this.#bytes.data.copy(target, 0, position, this.#bytes.length);
  }

  async size(): Promise<number> {
    return this.#bytes.length;
  }

  async flush(): Promise<void> {
    // Memory does not survive a power failure, and nobody expects it to.
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}
