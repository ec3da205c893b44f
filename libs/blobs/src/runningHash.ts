import { createHash, type Hash } from 'node:crypto';
import { ThreadHash } from './hashThread.js';
import { BLOB_LIMITS } from './limits.js';

/** SHA-256 of bytes as they come. */
export interface RunningHash {
  /** Appends. The chunks may be reused when it resolves; calls count in their order. */
  update(chunks: readonly Buffer[]): Promise<void>;
  /** Another hash of the same bytes so far. */
  copy(): RunningHash;
  /** In hexadecimal, of the bytes so far; it may go on afterwards. */
  digest(): Promise<string>;
  /** It is not used any more. */
  end(): void;
}

/** A hash for about so many bytes: many are worth another thread, few are hashed faster than they are sent there. */
export function startHash(size: number): RunningHash {
  return size < BLOB_LIMITS.hashElsewhere ? new OwnHash(createHash('sha256')) : new ThreadHash();
}

/** Computed where it is called. */
class OwnHash implements RunningHash {
  readonly #hash: Hash;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  async update(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) this.#hash.update(chunk);
  }

  copy(): OwnHash {
    return new OwnHash(this.#hash.copy());
  }

  async digest(): Promise<string> {
    return this.#hash.copy().digest('hex');
  }

  end(): void {
    // Nothing is kept elsewhere.
  }
}

/** Writes chunks and hashes them at the same time. Settles when both are over: then the chunks may be reused. */
export async function hashWhile(
  writing: Promise<void>,
  hash: Pick<RunningHash, 'update'> | undefined,
  chunks: readonly Buffer[],
): Promise<void> {
  const results = await Promise.allSettled([writing, hash?.update(chunks)]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
