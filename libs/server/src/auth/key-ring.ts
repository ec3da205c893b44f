import { createPublicKey } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
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

/** The auth service publishes none of the keys that it had: another one answers in its place, or all were removed without notice. */
export class KeysReplaced extends Error {
  override readonly name = 'KeysReplaced';

  constructor() {
    super(
      'The auth service publishes none of the keys that it had. If they were all removed on purpose, restart this service',
    );
  }
}

/**
 * The public keys that sign tokens. The first ones are taken as the auth service publishes them, on the word of its certificate. From then on
 * each key hands over to the next: only those are taken whose ids a feed named that one of the known keys signed, and an id is a key's
 * thumbprint (RFC 7638), so that no other key can come under it.
 */
export class KeyRing implements KeyLookup {
  readonly #options: KeyRingOptions;
  #issuer: string | undefined;
  #pems = new Map<string, string>();
  /** What the last feed named; undefined until there was one. */
  #announced: ReadonlySet<string> | undefined;
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

  /** The public key of `kid` in PEM form, if it is known. Nobody is asked. */
  get(kid: string): string | undefined {
    return this.#pems.get(kid);
  }

  /**
   * The public key of `kid`, for the signature of a feed.
   * @returns undefined when no key of that id was announced
   * @throws DomainError `unavailable` when no keys were ever received; {@link KeysReplaced}
   */
  async find(kid: string): Promise<string | undefined> {
    if (this.#issuer === undefined)
      await this.refresh().catch((error: unknown) => Promise.reject(cannotCheck(error)));
    const pem = this.#pems.get(kid);
    if (pem !== undefined) return pem;
    // Only to learn whether the others are gone: what was not announced is not taken.
    if (this.#options.elapsed() - this.#asked >= ACCESS_LIMITS.keyRefreshMs) await this.refresh();
    return this.#pems.get(kid);
  }

  /** Asks for the keys now; several callers share one request. Rejects when there is no good answer. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /**
   * Takes over which keys are valid from now on, as a feed says that can be trusted. The others are dropped.
   * @returns whether some of them are not here yet
   */
  announce(valid: readonly string[]): boolean {
    this.#announced = new Set(valid);
    this.#replace(new Map([...this.#pems].filter(([kid]) => this.#announced?.has(kid))));
    return valid.some((kid) => !this.#pems.has(kid));
  }

  async #ask(): Promise<void> {
    this.#asked = this.#options.elapsed();
    const { issuer, keys } = await this.#options.authority.jwks();
    // One instance never becomes another one while a process runs: an answer that says so is not trusted.
    if (this.#issuer !== undefined && this.#issuer !== issuer)
      throw new Error(`The auth service answers as ${issuer}, was ${this.#issuer}`);
    const published = new Map(
      await Promise.all(keys.map(async (key) => [key.kid, await toPem(key)] as const)),
    );
    const isExpected = (kid: string): boolean => this.#announced?.has(kid) ?? true;
    if (![...published.keys()].some((kid) => isExpected(kid) || this.#pems.has(kid)))
      throw new KeysReplaced();
    this.#issuer = issuer;
    // Known ones stay until a feed drops them.
    this.#replace(new Map([...[...published].filter(([kid]) => isExpected(kid)), ...this.#pems]));
  }

  #replace(pems: Map<string, string>): void {
    const retired = [...this.#pems.keys()].some((kid) => !pems.has(kid));
    this.#pems = pems;
    if (retired) this.#options.onRetired();
  }
}

async function toPem({ kty, crv, x, y, kid }: Jwks['keys'][number]): Promise<string> {
  try {
    if ((await calculateJwkThumbprint({ kty, crv, x, y })) !== kid)
      throw new Error('its id is not its thumbprint');
    return createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
  } catch (error) {
    throw new Error(`The auth service published a key that is none (${kid}): ${messageOf(error)}`, {
      cause: error,
    });
  }
}
