import { importJWK, SignJWT } from 'jose';
import { type Jwks, type RevocationEntry, type RevocationFeed, SIGNED_TYPES } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { NotedUse, TokenAuthority } from '../authority.js';
import { newRolesKey } from '../sealed-roles.js';
import { newPrivateJwk, publicPart } from '../service-key.js';

type Key = Awaited<ReturnType<typeof newPrivateJwk>>;
type NewEntry<E> = E extends unknown ? Omit<E, 'sequence'> : never;

/** An auth service for tests of the verifier: it can lie, be silent, and rotate its keys. */
export class FakeAuthority implements TokenAuthority {
  issuer = 'urn:scs:test';
  keys: Key[];
  entries: RevocationEntry[] = [];
  /** What the feed says instead of the truth. */
  lie: Partial<RevocationFeed> = {};
  silent = false;
  asked = { keys: 0, feed: 0 };
  /** What was reported, in order. */
  uses: NotedUse[] = [];
  /** The key of alice's roles. */
  readonly rolesKey = newRolesKey();
  readonly #now: () => number;

  private constructor(key: Key, now: () => number) {
    this.keys = [key];
    this.#now = now;
  }

  static async make(now: () => number): Promise<FakeAuthority> {
    return new FakeAuthority(await newPrivateJwk(), now);
  }

  end(entry: NewEntry<RevocationEntry>): void {
    this.entries.push({ ...entry, sequence: this.entries.length + 1 });
  }

  async jwks(): Promise<Jwks> {
    this.asked.keys += 1;
    if (this.silent) throw new Error('No answer');
    return { issuer: this.issuer, keys: this.keys.map(publicPart) };
  }

  async revocations(after: number): Promise<RevocationFeed> {
    this.asked.feed += 1;
    if (this.silent) throw new Error('No answer');
    return {
      iss: this.issuer,
      time: this.#now(),
      after,
      head: this.entries.length,
      keys: this.keys.map((key) => key.kid),
      entries: this.entries.slice(after, after + 500),
      ...this.lie,
    };
  }

  async noteUse(use: NotedUse): Promise<void> {
    if (this.silent) throw new DomainError('unavailable');
    this.uses.push(use);
  }

  /** A token of `alice`, signed with the newest key. */
  async token(claims: object = {}, header: object = {}): Promise<string> {
    const key = this.keys.at(-1);
    if (key === undefined) throw new Error('No key');
    const now = Math.floor(this.#now() / 1000);
    const all = {
      iss: this.issuer,
      aud: 'scs',
      sub: 'a'.repeat(24),
      jti: '1'.repeat(24),
      iat: now,
      exp: now + 600,
      scope: 'library:read admin',
      username: 'alice',
      email: 'alice@example.com',
      name: 'Alice',
      administrator: true,
      rolesKey: this.rolesKey,
      ...claims,
    };
    return new SignJWT(all)
      .setProtectedHeader({ alg: 'ES256', typ: SIGNED_TYPES.accessToken, kid: key.kid, ...header })
      .sign(await importJWK(key, 'ES256'));
  }
}
