import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type AuditEvent, type Caller, Trail } from '#libs/audit';
import type { Actor, RequestOrigin } from '#libs/contract';
import { type Clock, DomainError, newSecret } from '#libs/core';
import { CLOCK, PASSWORD_PROOF } from '#libs/server';
import { AccountsStore, isUser } from './accounts.store.js';
import { sessionClosed, sessionDisplaced, sessionExpired, sessionOpened } from './events.js';
import { AUTH_LIMITS } from './limits.js';
import { type SessionDocument, SessionsStore, type StoredSession } from './sessions.store.js';
import { SignInService } from './sign-in.service.js';

/** A session that is good now. */
export interface Session {
  /** What the cookie holds; another one than the browser sent when it was renewed. */
  readonly identifier: string;
  /** Whoever typed the password; may do what the account may. */
  readonly actor: Actor;
  /** What its forms carry, so that no other page can send one. It stays when the identifier changes. */
  readonly formProof: string;
}

/** The rules of sessions (ADR 10): how long they last, when they get a new identifier, what ends them. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly sessions: SessionsStore,
    private readonly accounts: AccountsStore,
    private readonly signIns: SignInService,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Begins a session for somebody whose password was right. @returns its identifier
   * @throws DomainError `unauthorized` when the password was changed at this moment
   */
  async begin(actor: Actor): Promise<string> {
    const { accountId } = actor;
    const account = await this.accounts.get(accountId);
    const guards = await this.signIns.guards(actor);
    const sessionsEnded = isUser(account) ? account.value.sessionsEnded : 0;
    const now = this.clock.now().getTime();
    await this.#makeRoom(actor, now);
    const identifier = newSecret();
    const written = await this.sessions.write([
      ...guards,
      this.sessions.creation(idOf(identifier), {
        accountId,
        sessionsEnded,
        signedInAt: now,
        renewedAt: now,
        usedAt: now,
        expiresAt: now + AUTH_LIMITS.sessionIdleMs,
        formProof: newSecret(),
      }),
      this.trail.write(sessionOpened(actor)),
    ]);
    // The account has changed since it was read, and perhaps its password.
    if (!written) throw new DomainError('conflict', 'The account was just changed: sign in again');
    return identifier;
  }

  /** The session of a cookie; undefined when it is over, was ended, or its account may not sign in any more. */
  async resume(identifier: string): Promise<Session | undefined> {
    const [session, successor] = await this.#family(idOf(identifier));
    const now = this.clock.now().getTime();
    if (session === undefined || session.value.expiresAt <= now) return undefined;
    // What it went on as was ended: so was this.
    if (session.value.replacedBy !== undefined && successor === undefined) return undefined;
    const { accountId, sessionsEnded, formProof } = session.value;
    const actor = await this.signIns.again(accountId, sessionsEnded);
    if (actor === undefined) return undefined;
    return { identifier: await this.#renewed(session, identifier, now), actor, formProof };
  }

  /**
   * Signs out, under every identifier that the session has. Nothing happens when there is no such session.
   * @throws DomainError `conflict` when others change it all the time
   */
  async end(identifier: string, from?: RequestOrigin): Promise<void> {
    // Another request may give it a new identifier, or note its use, at this very moment.
    for (let race = 0; race < AUTH_LIMITS.commitRaces; race += 1) {
      const family = await this.#family(idOf(identifier));
      const newest = family.at(-1);
      if (newest === undefined) return;
      const removals = family.map((one) => this.sessions.removal(one));
      // What it went on as was ended, and that was said.
      const isOver = newest.value.replacedBy !== undefined;
      const closed = sessionClosed(await this.#holderOf(newest, from));
      if (await this.sessions.write(isOver ? removals : [...removals, this.trail.write(closed)])) return;
    }
    throw new DomainError('conflict', 'The session is just used elsewhere: sign out again');
  }

  /** Removes sessions that are over. @returns how many */
  async sweep(): Promise<number> {
    const over = await this.sessions.expiredBefore(this.clock.now().getTime(), AUTH_LIMITS.sweepBatch);
    let removed = 0;
    for (const session of over) if (await this.#expire(session)) removed += 1;
    return removed;
  }

  /** What is over, and what is more than anybody uses, goes. */
  async #makeRoom(actor: Actor, now: number): Promise<void> {
    const known = await this.sessions.ofAccount(actor.accountId, AUTH_LIMITS.sessionsPerAccount);
    const surplus = known.length - AUTH_LIMITS.sessionsPerAccount + 1;
    for (const [index, session] of known.entries())
      if (session.value.expiresAt <= now) await this.#expire(session);
      else if (index < surplus) await this.#remove(session, sessionDisplaced(actor));
  }

  /** The session, and what it goes on as: a request may come with the identifier of before. */
  async #family(id: string): Promise<StoredSession[]> {
    const family: StoredSession[] = [];
    for (let next: string | undefined = id; next !== undefined; next = family.at(-1)?.value.replacedBy) {
      const found: StoredSession | undefined = await this.sessions.get(next);
      if (found === undefined) break;
      family.push(found);
    }
    return family;
  }

  /** @returns false when somebody was faster */
  async #expire(session: StoredSession): Promise<boolean> {
    const { accountId, sessionsEnded, expiresAt } = session.value;
    const account = await this.accounts.get(accountId);
    // One that a change of the password has ended was over long before, and the trail says so.
    const isOver = isUser(account) && account.value.sessionsEnded === sessionsEnded;
    return this.#remove(session, isOver ? sessionExpired(account.value.username, expiresAt) : undefined);
  }

  /** An identifier of before leaves no entry: its session goes on, or has one. */
  #remove(session: StoredSession, event: AuditEvent | undefined): Promise<boolean> {
    const isSaid = event !== undefined && session.value.replacedBy === undefined;
    return this.sessions.write([
      this.sessions.removal(session),
      ...(isSaid ? [this.trail.write(event)] : []),
    ]);
  }

  async #holderOf(session: StoredSession, from: RequestOrigin | undefined): Promise<Caller> {
    const account = await this.accounts.get(session.value.accountId);
    return {
      accountId: session.value.accountId,
      username: account?.value.username ?? '-',
      tokenId: PASSWORD_PROOF,
      originTokenId: PASSWORD_PROOF,
      via: undefined,
      ...(from === undefined ? {} : { from }),
    };
  }

  /** Says that the session is used; after an hour it goes on under a new identifier. */
  async #renewed(session: StoredSession, identifier: string, now: number): Promise<string> {
    const { value } = session;
    if (value.replacedBy !== undefined) return identifier;
    const expiresAt = Math.min(value.signedInAt + AUTH_LIMITS.sessionMs, now + AUTH_LIMITS.sessionIdleMs);
    if (now - value.renewedAt >= AUTH_LIMITS.sessionRenewMs) {
      const next = newSecret();
      const fresh: SessionDocument = { ...value, renewedAt: now, usedAt: now, expiresAt };
      const written = await this.sessions.write([
        this.sessions.creation(idOf(next), fresh),
        // Requests that the browser has sent already come with the old one.
        this.sessions.change(session, {
          ...value,
          replacedBy: idOf(next),
          expiresAt: now + AUTH_LIMITS.sessionGraceMs,
        }),
      ]);
      // Otherwise another request has renewed it at the same moment, and the browser gets that one.
      return written ? next : identifier;
    }
    if (now - value.usedAt >= AUTH_LIMITS.sessionNoteMs)
      await this.sessions.write([this.sessions.change(session, { ...value, usedAt: now, expiresAt })]);
    return identifier;
  }
}

/** 256 bits of randomness need no salt. */
function idOf(identifier: string): string {
  return createHash('sha256').update(identifier).digest('hex');
}

/** Whether a form was made for this session. In constant time. */
export function isFormProof({ formProof }: Session, given: string): boolean {
  const expected = Buffer.from(formProof);
  const presented = Buffer.from(given);
  return presented.length === expected.length && timingSafeEqual(presented, expected);
}
