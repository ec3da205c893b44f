import { createPublicKey } from 'node:crypto';
import type { Jwks } from '#libs/contract';
import { messageOf } from '#libs/core';
import type { KeyLookup, TokenAuthority } from './authority.js';
import { ACCESS_LIMITS } from './limits.js';
import { cannotCheck } from './refusals.js';

export interface KeyRingOptions {
  readonly authority: TokenAuthority;
  /** Milliseconds that only grow. */
  readonly elapsed: () => number;
  /** Called when a key was dropped: what it signed must not be remembered. */
  readonly onRetired: () => void;
}

/** The public keys that sign tokens: fetched once, again when an unknown key id turns up (bounded), dropped when retired. */
export class KeyRing implements KeyLookup {
  readonly #options: KeyRingOptions;
  #issuer: string | undefined;
  #pems = new Map<string, string>();
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /** The name of the instance that signs, once its keys are known. */
  get issuer(): string | undefined {
    return this.#issuer;
  }

  get known(): ReadonlySet<string> {
    return new Set(this.#pems.keys());
  }

  /**
   * The public key of `kid` in PEM form, or undefined when no such key signs here.
   * @throws DomainError `unavailable` when no keys were ever received
   */
  async find(kid: string): Promise<string | undefined> {
    const pem = this.#pems.get(kid);
    if (pem !== undefined) return pem;
    const { elapsed } = this.#options;
    if (this.#asking === undefined && elapsed() - this.#asked < ACCESS_LIMITS.keyRefreshMs) {
      if (this.#issuer === undefined) throw cannotCheck();
      return undefined;
    }
    try {
      await this.refresh();
    } catch (error) {
      // With keys at hand an unknown key id is the caller's fault; without any, ours.
      if (this.#issuer === undefined) throw cannotCheck(error);
    }
    return this.#pems.get(kid);
  }

  /** Asks for the keys now; several callers share one request. Rejects when there is no good answer. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Drops every key that is not in `valid`. @returns whether `valid` names keys that are not here yet */
  keepOnly(valid: readonly string[]): boolean {
    const kept = new Map([...this.#pems].filter(([kid]) => valid.includes(kid)));
    if (kept.size < this.#pems.size) this.#replace(kept);
    return valid.some((kid) => !kept.has(kid));
  }

  async #ask(): Promise<void> {
    this.#asked = this.#options.elapsed();
    const { issuer, keys } = await this.#options.authority.jwks();
    // One instance never becomes another one while a process runs: an answer that says so is not trusted.
    if (this.#issuer !== undefined && this.#issuer !== issuer)
      throw new Error(`The auth service answers as ${issuer}, was ${this.#issuer}`);
    const pems = new Map(keys.map((key) => [key.kid, toPem(key)]));
    this.#issuer = issuer;
    this.#replace(pems);
  }

  #replace(pems: Map<string, string>): void {
    const retired = [...this.#pems].some(([kid, pem]) => pems.get(kid) !== pem);
    this.#pems = pems;
    if (retired) this.#options.onRetired();
  }
}

function toPem({ kty, crv, x, y, kid }: Jwks['keys'][number]): string {
  try {
    return createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
  } catch (error) {
    throw new Error(`The auth service published a key that is none (${kid}): ${messageOf(error)}`, {
      cause: error,
    });
  }
}
