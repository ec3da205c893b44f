import type { RevocationFeed, TokenClaims } from '#libs/contract';
import type { Clock } from '#libs/core';
import { ACCESS_LIMITS } from './limits.js';
import { openRoles, type Roles } from './sealed-roles.js';

/** What the feed says about an account; its roles are opened when a token of the account is there, once. */
export class AccountState {
  readonly disabled: boolean;
  readonly administrator: boolean;
  readonly #sealed: string | undefined;
  #opened: { readonly key: string; readonly roles: Promise<Roles> } | undefined;

  constructor(entry: {
    readonly disabled: boolean;
    readonly administrator: boolean;
    readonly organisations?: string | undefined;
  }) {
    this.disabled = entry.disabled;
    this.administrator = entry.administrator;
    this.#sealed = entry.organisations;
  }

  /** The roles by organisation. @param key from the claims of a verified token; without one there are none @throws Error */
  async roles(key: string | undefined): Promise<Roles> {
    if (key === undefined || this.#sealed === undefined) return {};
    // All tokens of an account carry the same key. One that was handed over long ago may be another, and must not stand in their way.
    if (this.#opened?.key !== key) this.#opened = { key, roles: openRoles(key, this.#sealed) };
    return this.#opened.roles;
  }
}

/** What ended so far, kept in memory from the auth service's feed, and how sure we are that it is complete. */
export class RevocationList {
  readonly #clock: Clock;
  readonly #elapsed: () => number;
  readonly #tokens = new Map<string, number>();
  readonly #accounts = new Map<string, AccountState>();
  #head = 0;
  #time = 0;
  #complete: number | undefined;
  #swept = 0;

  constructor(clock: Clock, elapsed: () => number) {
    this.#clock = clock;
    this.#elapsed = elapsed;
  }

  /** The sequence number up to which everything is known. */
  get head(): number {
    return this.#head;
  }

  /** Whether the feed was read to its end at least once. */
  get read(): boolean {
    return this.#complete !== undefined;
  }

  /** Whether the list was complete within the documented bound. Writes are refused while it was not. */
  get fresh(): boolean {
    return this.#complete !== undefined && this.#elapsed() - this.#complete <= ACCESS_LIMITS.feedStaleMs;
  }

  /** Number of entries, for tests of the bound on memory. */
  get size(): number {
    return this.#tokens.size + this.#accounts.size;
  }

  /** @throws Error when a page is old, was rolled back or does not continue where the list ends */
  check(feed: RevocationFeed): void {
    if (feed.after !== this.#head)
      throw new Error(`Expected revocations after ${this.#head}, got those after ${feed.after}`);
    if (feed.head < this.#head)
      throw new Error(`The revocation feed went back from ${this.#head} to ${feed.head}`);
    if (feed.time < this.#clock.now().getTime() - ACCESS_LIMITS.clockSkewMs)
      throw new Error(
        `The revocation feed is old (${new Date(feed.time).toISOString()}): compare the clocks`,
      );
    if (feed.time < this.#time - ACCESS_LIMITS.replicaSkewMs)
      throw new Error('The revocation feed is older than the one before');
  }

  /**
   * Takes one page of the feed in.
   * @param asked when the page was asked for, in milliseconds of `elapsed`: an answer is as old as its question
   * @returns whether another page follows
   * @throws Error as {@link check}; nothing is changed then
   */
  apply(feed: RevocationFeed, asked: number): boolean {
    this.check(feed);
    const last = feed.entries.at(-1);
    for (const entry of feed.entries) {
      if (entry.kind === 'token') this.#tokens.set(entry.id, entry.until);
      else this.#accounts.set(entry.id, new AccountState(entry));
    }
    this.#time = Math.max(this.#time, feed.time);
    // Entries that were swept leave gaps, so the last page ends at the head and not at its last entry.
    const more = last !== undefined && last.sequence < feed.head;
    this.#head = more ? last.sequence : feed.head;
    if (!more) this.#complete = asked;
    this.#sweep();
    return more;
  }

  /** Whether the token, or the one it was exchanged from, was revoked. */
  isRevoked(claims: Pick<TokenClaims, 'jti' | 'origin'>): boolean {
    return this.#tokens.has(claims.jti) || (claims.origin !== undefined && this.#tokens.has(claims.origin));
  }

  /** The present state of an account, where it changed since its tokens were made. */
  account(id: string): AccountState | undefined {
    return this.#accounts.get(id);
  }

  #sweep(): void {
    const now = Math.floor(this.#clock.now().getTime() / 1000);
    if (now - this.#swept < 600) return;
    this.#swept = now;
    for (const [id, until] of this.#tokens) if (until < now) this.#tokens.delete(id);
  }
}
