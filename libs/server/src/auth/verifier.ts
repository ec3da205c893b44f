import { hash } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import {
  type Actor,
  ANY_SERVICE,
  type AudienceName,
  TOKEN_LENGTH,
  TOKEN_LIMITS,
  type TokenClaims,
} from '#libs/contract';
import { type Clock, DomainError, messageOf, systemClock } from '#libs/core';
import type { TokenAuthority } from './authority.js';
import { KeyRing, KeysReplaced } from './key-ring.js';
import { ACCESS_LIMITS } from './limits.js';
import { cannotCheck, keysReplaced, refused } from './refusals.js';
import { RevocationList } from './revocation-list.js';
import type { Roles } from './sealed-roles.js';
import { SignatureCheck } from './strategy.js';

export interface VerifierOptions {
  readonly clock?: Clock;
  /** Milliseconds that only grow; the machine's by default. */
  readonly elapsed?: () => number;
  /** Told once when revocations stop coming, and once when they come again. */
  readonly warn?: (message: string) => void;
}

/** Whose token a refusal was about: the signature was right, and the token is good no more, or not here. */
const callers = new WeakMap<object, Actor>();

/** Who presented a token that {@link TokenVerifier.verify} refused, where that is known. For the audit trail, never for rights. */
export function refusedCaller(error: unknown): Actor | undefined {
  return typeof error === 'object' && error !== null ? callers.get(error) : undefined;
}

/** Whether whoever presents an expired token goes on with something that was begun with it while it was good (ADR 10). */
export type GoesOn = (actor: Actor) => Promise<boolean>;

const AUDIENCES: readonly AudienceName[] = ['auth', 'keystore', 'library', 'builder'];

interface Checks {
  readonly authority: TokenAuthority;
  readonly keys: KeyRing;
  readonly signatures: SignatureCheck;
  readonly revocations: RevocationList;
}

/** Checks tokens without asking the auth service for each: its public keys and its list of revocations are held here. */
export class TokenVerifier {
  readonly #clock: Clock;
  readonly #elapsed: () => number;
  readonly #warn: (message: string) => void;
  readonly #remembered = new Map<string, TokenClaims>();
  #checks: Checks | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #failing = false;
  /** Somebody else may be answering as the auth service: nobody's token is taken until it is known again. */
  #replaced = false;
  #lookedForKey = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: VerifierOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#elapsed = options.elapsed ?? (() => performance.now());
    this.#warn = options.warn ?? (() => undefined);
  }

  /** Whether it is known where keys and revocations come from. */
  get connected(): boolean {
    return this.#checks !== undefined;
  }

  /** Where keys and revocations come from, once that is known. */
  get authority(): TokenAuthority | undefined {
    return this.#checks?.authority;
  }

  /** Says where keys and revocations come from. Once, before the first token is checked. */
  useAuthority(authority: TokenAuthority): void {
    if (this.#checks !== undefined) throw new Error('The verifier has an authority already');
    const keys = new KeyRing({
      authority,
      elapsed: this.#elapsed,
      onRetired: () => this.#remembered.clear(),
    });
    this.#checks = {
      authority,
      keys,
      signatures: new SignatureCheck({ find: (kid) => this.#keyOf(kid) }),
      revocations: new RevocationList(this.#clock, this.#elapsed),
    };
  }

  /**
   * Who presents `token`, if it is good for `audience` now. Without an audience only tokens of people are good.
   * @param goesOn asked about a token that is as good as ever but for its age; without it such a token is refused
   * @throws DomainError `unauthorized` with a reason; `unavailable` when the auth service was never reached
   */
  async verify(token: string, audience?: AudienceName, goesOn?: GoesOn): Promise<Actor> {
    const { keys } = this.#required();
    const claims = await this.#claimsOf(token);
    if (claims.iss !== keys.issuer) throw refused('token_invalid');
    try {
      return await this.#actorOf(token, claims, audience, goesOn);
    } catch (error) {
      if (error instanceof DomainError) callers.set(error, toActor(token, claims, NO_RIGHTS));
      throw error;
    }
  }

  /** What can be wrong with a token that one of our keys signed. */
  async #actorOf(
    token: string,
    claims: TokenClaims,
    audience: AudienceName | undefined,
    goesOn: GoesOn | undefined,
  ): Promise<Actor> {
    const { revocations } = this.#required();
    if (claims.aud !== ANY_SERVICE && claims.aud !== audience) throw refused('wrong_audience');
    // An exchanged token names one service: one for all of them would be a token of a person.
    if (claims.aud === ANY_SERVICE && claims.origin !== undefined) throw refused('token_invalid');
    const age = this.#clock.now().getTime() / 1000 - claims.exp;
    if (age >= 0 && (goesOn === undefined || !mayGoOn(claims, age))) throw refused('token_expired');
    if (this.#replaced) throw keysReplaced();
    // Until the feed was read once, nobody knows what was revoked before this process started.
    if (!revocations.read) await this.refresh().catch((error: unknown) => Promise.reject(cannotCheck(error)));
    if (revocations.isRevoked(claims)) throw refused('token_revoked');
    const account = revocations.account(claims.sub);
    if (account?.disabled === true) throw refused('account_disabled');
    const organisations = await account
      ?.roles(claims.rolesKey)
      .catch((error: unknown) => Promise.reject(refused('token_invalid', error)));
    const actor = toActor(token, claims, {
      // Rights of an administrator are nothing that a job needs: an exchanged token has none, whatever its account becomes.
      administrator: claims.origin === undefined && (account?.administrator ?? claims.administrator),
      organisations: organisations ?? {},
    });
    if (age < 0) return actor;
    const expired: Actor = { ...actor, expired: true };
    if (goesOn === undefined || !(await goesOn(expired))) throw refused('token_expired');
    return expired;
  }

  /**
   * The same caller as token and account are at this moment, for the end of something that took long. That the token has
   * expired meanwhile changes nothing.
   * @throws DomainError `unauthorized` when the token, the one that it was exchanged from, or the account was ended
   */
  async again(actor: Actor): Promise<Actor> {
    const audience = await this.#ownAudience(actor.token);
    const now = await this.verify(actor.token, audience, async () => true);
    return actor.from === undefined ? now : { ...now, from: actor.from };
  }

  /**
   * Who presents `token`, whichever service it is good for. Only for what needs no right at all.
   * @throws DomainError as {@link verify}
   */
  async verifyForAnyService(token: string): Promise<Actor> {
    return this.verify(token, await this.#ownAudience(token));
  }

  /** The service that a token names; undefined when it names all, or none that there is. */
  async #ownAudience(token: string): Promise<AudienceName | undefined> {
    const { aud } = await this.#claimsOf(token);
    return AUDIENCES.find((name) => name === aud);
  }

  /**
   * Whether a token that was good before, the one that it was exchanged from, its account, or the key that signed it was ended
   * since: for addresses that were signed on its behalf and carry no token. Expiry does not count.
   */
  hasEnded(actor: Pick<Actor, 'accountId' | 'tokenId' | 'originTokenId' | 'keyId'>): boolean {
    const { keys, revocations } = this.#required();
    const claims = { jti: actor.tokenId, origin: actor.originTokenId };
    if (actor.keyId !== undefined && keys.issuer !== undefined && keys.get(actor.keyId) === undefined)
      return true;
    return revocations.isRevoked(claims) || revocations.account(actor.accountId)?.disabled === true;
  }

  /**
   * The key that opens the roles of a caller in the feed (ADR 10): for a service to which the caller hands it over, so that it sees
   * later what became of them.
   */
  async rolesKeyOf({ token }: Pick<Actor, 'token'>): Promise<string | undefined> {
    return (await this.#claimsOf(token)).rolesKey;
  }

  /**
   * The present roles of an account, by the key that it handed over: none when it is disabled, or the key is not its any more.
   * @throws DomainError `unavailable` until the feed was read once
   */
  async rolesOf(accountId: string, rolesKey: string): Promise<Roles> {
    const { revocations } = this.#required();
    if (!revocations.read) await this.refresh().catch((error: unknown) => Promise.reject(cannotCheck(error)));
    const account = revocations.account(accountId);
    if (account === undefined || account.disabled) return {};
    return account.roles(rolesKey).catch(() => ({}));
  }

  /** The name of the instance whose tokens are taken. @throws DomainError `unavailable` while it is not known */
  async issuer(): Promise<string> {
    const { keys } = this.#required();
    if (keys.issuer === undefined)
      await keys.refresh().catch((error: unknown) => Promise.reject(cannotCheck(error)));
    if (keys.issuer === undefined) throw cannotCheck();
    return keys.issuer;
  }

  /** Whether revocations are known up to the documented bound. */
  get fresh(): boolean {
    return !this.#replaced && (this.#checks?.revocations.fresh ?? false);
  }

  /**
   * For everything that changes something: refuses while it is not known which tokens were revoked.
   * @throws DomainError `unavailable`
   */
  requireFresh(): void {
    if (this.fresh) return;
    throw new DomainError(
      'unavailable',
      'Nothing can be changed while revoked tokens are not known: the auth service does not answer',
      { reason: 'revocations_stale' },
    );
  }

  /** Reads the feed to its end now. Rejects when that is not possible. Several callers share one reading. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** After a change in this very process: reads again even if a reading is under way that may have missed it. */
  async refreshAfterChange(): Promise<void> {
    await this.#reading?.catch(() => undefined);
    await this.refresh();
  }

  /** Keeps keys and revocations up to date until {@link stop}. Does not wait for the auth service to be there. */
  start(): void {
    const again = (): void => {
      if (this.#stopped) return;
      this.#timer = setTimeout(poll, ACCESS_LIMITS.feedPollMs);
      this.#timer.unref();
    };
    const poll = (): void => {
      this.refresh()
        .then(
          () => this.#note(undefined),
          (error: unknown) => this.#note(error),
        )
        .finally(again);
    };
    poll();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    try {
      while (await this.#readPage());
      this.#replaced = false;
    } catch (error) {
      if (error instanceof KeysReplaced) this.#replaced = true;
      throw error;
    }
  }

  /** @returns whether another page follows */
  async #readPage(): Promise<boolean> {
    const { authority, keys, revocations } = this.#required();
    const asked = this.#elapsed();
    const feed = await authority.revocations(revocations.head, keys);
    if (keys.issuer === undefined) await keys.refresh();
    if (feed.iss !== keys.issuer) throw new Error('The revocation feed is of another instance');
    // Before its keys are taken over: an old feed names old keys.
    revocations.check(feed);
    if (keys.announce(feed.keys)) await keys.refresh();
    return revocations.apply(feed, asked);
  }

  /**
   * The key that signed a token. One that is not known may have been announced a moment ago: the feed is read, at most once in a while
   * however many such tokens there are.
   */
  async #keyOf(kid: string): Promise<string | undefined> {
    const { keys } = this.#required();
    const pem = keys.get(kid);
    if (pem !== undefined) return pem;
    const due = this.#elapsed() - this.#lookedForKey >= ACCESS_LIMITS.keyRefreshMs;
    if (due) this.#lookedForKey = this.#elapsed();
    // With keys at hand an unknown key id is the caller's fault; without any, ours.
    let failure: unknown;
    if (due || this.#reading !== undefined)
      await this.refresh().catch((error: unknown) => {
        failure = error;
      });
    if (keys.issuer === undefined) throw cannotCheck(failure);
    return keys.get(kid);
  }

  async #claimsOf(token: string): Promise<TokenClaims> {
    if (token.length > TOKEN_LENGTH.maximum) throw refused('token_invalid');
    const key = hash('sha256', token, 'base64');
    const remembered = this.#remembered.get(key);
    if (remembered !== undefined) return remembered;
    const { keys, signatures } = this.#required();
    const valid = keys.known;
    const claims = await signatures.claimsOf(token);
    // A key that was retired while the signature was checked must not leave its token behind.
    if (valid.size === 0 || [...valid].every((kid) => keys.known.has(kid))) this.#remember(key, claims);
    return claims;
  }

  #remember(key: string, claims: TokenClaims): void {
    if (this.#remembered.size >= ACCESS_LIMITS.rememberedTokens) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(key, claims);
  }

  #required(): Checks {
    if (this.#checks === undefined) throw cannotCheck();
    return this.#checks;
  }

  #note(error: unknown): void {
    if (error === undefined && this.#failing) this.#warn('Revocations are read again');
    if (error !== undefined && !this.#failing && !this.#stopped)
      this.#warn(`Revocations cannot be read, writes are refused until they can: ${messageOf(error)}`);
    this.#failing = error !== undefined;
  }
}

/**
 * Services are told of the revocation of a token for a day after its end, and could not know of it later. What was exchanged has
 * an end of its own that nothing moves: the limit of its job.
 * @param age seconds since the end
 */
function mayGoOn({ origin }: TokenClaims, age: number): boolean {
  return origin === undefined && age < TOKEN_LIMITS.exchangedLifetimeMaximum;
}

/** Of somebody who is refused anyway. */
const NO_RIGHTS = { administrator: false, organisations: {} };

function toActor(
  token: string,
  claims: TokenClaims,
  present: Pick<Actor, 'administrator' | 'organisations'>,
): Actor {
  return {
    accountId: claims.sub,
    kind: claims.kind,
    username: claims.username,
    email: claims.email,
    displayName: claims.name,
    ...present,
    scopes: claims.scope.split(' '),
    tokenId: claims.jti,
    originTokenId: claims.origin ?? claims.jti,
    keyId: decodeProtectedHeader(token).kid,
    expiresAt: new Date(claims.exp * 1000),
    via: claims.act?.sub,
    subject: claims.subject,
    token,
  };
}
