import { Inject, Injectable } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import type { Actor, AuditAction, KeyChallenge, KeyRemoved } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { onlyRevoked, splitClearSigned } from '#libs/pgp';
import { CLOCK } from '#libs/server';
import { CertificatesStore, type Change } from './certificates.store.js';
import { Challenges } from './challenges.js';
import type { StoredCertificate } from './collections.store.js';
import { keyEvent } from './events.js';
import { LIMITS } from './limits.js';
import { enforce, mayHide, mayRemove, maySee, noKey } from './policy.js';
import { requireSignedByPrimary } from './proof.js';
import { type Holders, holdersOf, isSame, partyOf, recordOf } from './record.js';
import { SecretsStore } from './secrets.store.js';
import { isServed } from './served.js';
import { parseStored } from './stored.js';

/** Whose a certificate is: proofs, hiding, and taking away. */
@Injectable()
export class OwnersService {
  #challenges: Promise<Challenges> | undefined;

  constructor(
    private readonly certificates: CertificatesStore,
    private readonly secrets: SecretsStore,
    private readonly config: ScsConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** A certificate that the caller may see. @throws DomainError `not_found` */
  async show(fingerprint: string, actor: Actor | undefined): Promise<StoredCertificate> {
    const found = (await this.certificates.get(fingerprint))?.value;
    if (found === undefined) throw noKey(fingerprint);
    enforce(maySee(actor, found), fingerprint);
    return found;
  }

  /** What to sign. Says nothing about whether there is such a key. */
  async challenge(fingerprint: string, actor: Actor): Promise<KeyChallenge> {
    const until = new Date(this.clock.now().getTime() + LIMITS.challengeMs);
    const text = (await this.#loadChallenges()).write(this.#asked(fingerprint, actor), until);
    return { text, expiresAt: until.toISOString() };
  }

  /**
   * Makes the account the owner: whoever has the key has the last word.
   * @param signed the challenge, clear-signed
   * @throws DomainError `forbidden` for another text, `not_found`, `unprocessable` for a signature that proves nothing
   */
  async claim(fingerprint: string, signed: string, actor: Actor): Promise<StoredCertificate> {
    const now = this.clock.now();
    // The cheap question first: only what this server wrote is worth a look at its signature.
    const text = splitClearSigned(Buffer.from(signed)).text.toString('utf8');
    (await this.#loadChallenges()).check(text, this.#asked(fingerprint, actor), now);
    await this.#requireSignature((await this.certificates.get(fingerprint))?.value, fingerprint, signed);
    await this.#change(fingerprint, 'key.claim', actor, async (before) => {
      // The key is in its fingerprint: what else has changed meanwhile makes the proof no worse, but for a revocation.
      if (before.revoked) throw revokedKey(fingerprint);
      return { ...holdersOf(before), owner: partyOf(actor, now.toISOString()) };
    });
    return this.show(fingerprint, actor);
  }

  /** Hides exactly these user ids; what was hidden and is not among them can be brought again. */
  async hide(fingerprint: string, hashes: readonly string[], actor: Actor): Promise<StoredCertificate> {
    const hidden = [...new Set(hashes)].toSorted();
    await this.#change(fingerprint, 'key.hide', actor, async (before) => {
      enforce(mayHide(actor, before), fingerprint);
      const same = JSON.stringify(before.hidden ?? []) === JSON.stringify(hidden);
      return same ? undefined : { ...holdersOf(before), hidden };
    });
    return this.show(fingerprint, actor);
  }

  /** Takes a certificate away, or what the account brought of it. What was revoked stays revoked. */
  async remove(fingerprint: string, actor: Actor): Promise<KeyRemoved> {
    let outcome: KeyRemoved['outcome'] = 'removed';
    await this.certificates.change(fingerprint, async ({ certificate }) => {
      if (certificate === undefined) throw noKey(fingerprint);
      const decision = mayRemove(actor, certificate);
      enforce(decision, fingerprint);
      const { owner, contributors = [] } = certificate;
      const left = contributors.filter(({ account }) => account !== actor.accountId);
      if (decision.what === 'contribution' && (left.length > 0 || owner !== undefined)) {
        outcome = 'contribution_removed';
        return this.#with(
          certificate,
          { ...holdersOf(certificate), contributors: left },
          'key.delete',
          actor,
        );
      }
      const change = await this.#without(certificate, actor);
      outcome = change?.record === null ? 'removed' : 'revocation_kept';
      return change;
    });
    return { fingerprint, outcome };
  }

  #asked(fingerprint: string, { accountId: account, username }: Actor) {
    return { keystore: this.config.publicUrl, account, username, fingerprint };
  }

  #loadChallenges(): Promise<Challenges> {
    this.#challenges ??= this.secrets.get('challenges').then(
      (key) => new Challenges(key),
      (error: unknown) => {
        this.#challenges = undefined;
        throw error;
      },
    );
    return this.#challenges;
  }

  /** For a key that is not served a bad signature looks as if it were not there. */
  async #requireSignature(
    certificate: StoredCertificate | undefined,
    fingerprint: string,
    signed: string,
  ): Promise<void> {
    if (certificate === undefined) throw noKey(fingerprint);
    if (certificate.revoked) throw revokedKey(fingerprint);
    try {
      // The clock of whoever signed may be ahead of ours.
      const latest = new Date(this.clock.now().getTime() + LIMITS.claimSkewMs);
      await requireSignedByPrimary(certificate.armor, signed, latest);
    } catch (error) {
      if (isServed(certificate) || !(error instanceof DomainError)) throw error;
      throw noKey(fingerprint);
    }
  }

  async #change(
    fingerprint: string,
    action: AuditAction,
    actor: Actor,
    decide: (before: StoredCertificate) => Promise<Holders | undefined>,
  ): Promise<void> {
    await this.certificates.change(fingerprint, async ({ certificate }) => {
      if (certificate === undefined) throw noKey(fingerprint);
      const holders = await decide(certificate);
      return holders && this.#with(certificate, holders, action, actor);
    });
  }

  async #with(
    before: StoredCertificate,
    holders: Holders,
    action: AuditAction,
    actor: Actor,
  ): Promise<Change> {
    const record = recordOf(await parseStored(before), holders, this.#updated(actor));
    return { record, event: keyEvent(action, actor, before, record.certificate) };
  }

  /** Undefined when nothing would change: what is left is its revocation already. */
  async #without(before: StoredCertificate, actor: Actor): Promise<Change | undefined> {
    const rest = onlyRevoked(await parseStored(before));
    if (rest === undefined) return { record: null, event: keyEvent('key.delete', actor, before, undefined) };
    const nobody: Holders = { contributors: [], owner: undefined, hidden: [] };
    const record = recordOf(rest, nobody, this.#updated(actor));
    if (isSame(before, record.certificate)) return undefined;
    return { record, event: keyEvent('key.delete', actor, before, record.certificate) };
  }

  #updated({ accountId: updatedBy }: Actor): Pick<StoredCertificate, 'updatedAt' | 'updatedBy'> {
    return { updatedAt: this.clock.now().toISOString(), updatedBy };
  }
}

function revokedKey(fingerprint: string): DomainError {
  return new DomainError(
    'unprocessable',
    `Key ${fingerprint.toUpperCase()} is revoked: nothing is proved by it`,
    {
      reason: 'key_revoked',
      about: { kind: 'key', name: fingerprint },
    },
  );
}
