import { messageOf } from '#libs/core';
import { readKeys, type PgpKey } from '#libs/pgp';

/** Where a key came from, as listings name it. */
export type KeyOrigin = 'global' | 'local' | 'remote';

/** A place that may know a signer's key: a key ring or a key server. Nothing here fetches anything itself. */
export interface KeySource {
  readonly origin: KeyOrigin;
  /** Keys by the id (16 upper-case hex digits) of a primary key or subkey; none when it knows none. */
  find(keyId: string): Promise<readonly PgpKey[]>;
}

/**
 * A key server as a source.
 * @param get gives the armored certificates that answer a search (`0x` and an id in lower-case hex); undefined: none
 */
export function serverKeySource(get: (search: string) => Promise<string | undefined>): KeySource {
  return {
    origin: 'remote',
    find: async (keyId) => {
      const answer = await get(`0x${keyId.toLowerCase()}`);
      return answer === undefined ? [] : readKeys(answer);
    },
  };
}

/**
 * Asks sources in their order until one knows the key, each id once. A source that fails is a warning: the signer is then
 * unknown, unless a later source knows it (SIF contract §2.9).
 */
export class KeySearch {
  readonly #sources: readonly KeySource[];
  readonly #found = new Map<string, Promise<{ keys: readonly PgpKey[]; origin: KeyOrigin }>>();
  readonly warnings: string[] = [];

  constructor(sources: readonly KeySource[]) {
    this.#sources = sources;
  }

  find(keyId: string): Promise<{ keys: readonly PgpKey[]; origin: KeyOrigin }> {
    const known = this.#found.get(keyId) ?? this.#ask(keyId);
    this.#found.set(keyId, known);
    return known;
  }

  async #ask(keyId: string): Promise<{ keys: readonly PgpKey[]; origin: KeyOrigin }> {
    for (const source of this.#sources) {
      try {
        const keys = await source.find(keyId);
        if (keys.length > 0) return { keys, origin: source.origin };
      } catch (error) {
        this.warnings.push(`failed to get key material: ${messageOf(error)}`);
      }
    }
    return { keys: [], origin: 'remote' };
  }
}
