import { Inject, Injectable } from '@nestjs/common';
import { type Clock, DomainError, type ErrorCode, KeyedLock } from '#libs/core';
import {
  type Certificate,
  cleanCertificate,
  factsOf,
  type LooseRevocation,
  mergeCertificates,
  type RawCertificate,
  readUpload,
  requireWhole,
  revocationFor,
  type Work,
  workForUpload,
} from '#libs/pgp';
import { CLOCK } from '#libs/server';
import { AddCounts } from './add-counts.js';
import { CertificatesStore } from './certificates.store.js';
import { keyEvent } from './events.js';
import { handleOf } from './handles.js';
import { LIMITS } from './limits.js';
import { keyBlocked } from './policy.js';
import { holdersOf, isSame, recordOf, withContributor } from './record.js';
import { parseStored } from './stored.js';
import { permittedOf, type Submitter } from './submitter.js';

/** What became of one certificate of an upload. */
export interface Submitted {
  readonly fingerprint: string;
  readonly outcome: 'inserted' | 'updated' | 'unchanged' | 'invalid';
  /** Why it is invalid. */
  readonly comment: string | undefined;
}

/** Who changed a certificate that was changed without a token. No account has this id. */
const NOBODY = 'nobody';
/** What is wrong with one certificate of an upload, and leaves the others alone. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['unprocessable', 'forbidden', 'too_large']);

/** Takes certificates in: cleaned, merged with what is known, stored with their handles. */
@Injectable()
export class SubmitService {
  /** Uploads of one account follow each other, so that nobody's checking keeps the others from theirs. */
  readonly #accounts = new KeyedLock();
  readonly #underWay = new Map<string, number>();

  constructor(
    private readonly certificates: CertificatesStore,
    private readonly adds: AddCounts,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param keys armored or binary; wiped in the end, for there may be a secret one among them
   * @param by who brings them, and what of them may be taken
   * @throws DomainError `unprocessable` when nothing of the upload could be accepted, `too_many_requests` when too many uploads of
   *   the account wait
   */
  async submit(keys: Uint8Array, by: Submitter): Promise<Submitted[]> {
    const who = by.actor?.accountId ?? by.from.address;
    try {
      this.#begin(who);
      try {
        const results = await this.#accounts.run(who, () => this.#submit(keys, by));
        for (const { outcome } of results) this.adds.count(outcome);
        return results;
      } catch (error) {
        this.adds.refused(error);
        throw error;
      } finally {
        this.#end(who);
      }
    } finally {
      keys.fill(0);
    }
  }

  #begin(who: string): void {
    const underWay = this.#underWay.get(who) ?? 0;
    if (underWay >= LIMITS.uploadsWaiting)
      throw new DomainError(
        'too_many_requests',
        `Expected at most ${LIMITS.uploadsWaiting} uploads at a time`,
        { reason: 'too_many_uploads', retryAfter: 1 },
      );
    this.#underWay.set(who, underWay + 1);
  }

  #end(who: string): void {
    const left = (this.#underWay.get(who) ?? 1) - 1;
    if (left > 0) this.#underWay.set(who, left);
    else this.#underWay.delete(who);
  }

  async #submit(keys: Uint8Array, by: Submitter): Promise<Submitted[]> {
    const work = workForUpload();
    const { certificates, revocations, faults } = readUpload(keys);
    const results: Submitted[] = faults.map(invalid);
    const parts = [
      ...certificates.map((raw) => () => this.#take(raw, work, by)),
      // Those that came alone last: what they are of may have come with them.
      ...revocations.map((revocation) => () => this.#revoke(revocation, work, by)),
    ];
    let [refused] = faults;
    for (const take of parts) {
      try {
        results.push(await take());
      } catch (error) {
        if (!(error instanceof DomainError) || !REFUSALS.has(error.code)) throw error;
        refused ??= error;
        results.push(invalid(error));
      }
    }
    if (refused !== undefined && results.every(({ outcome }) => outcome === 'invalid')) throw refused;
    return results;
  }

  async #take(raw: RawCertificate, work: Work, by: Submitter): Promise<Submitted> {
    const { fingerprint } = factsOf(raw);
    const brought = await cleanCertificate(raw, this.clock, {
      work,
      known: await this.#stored(fingerprint),
      findRevoker: (revoker) => this.#stored(revoker),
    });
    let inserted = false;
    const changed = await this.certificates.change(fingerprint, async ({ certificate: before, blocked }) => {
      if (blocked) throw keyBlocked(fingerprint);
      inserted = before === undefined;
      const sent = permittedOf(brought, before !== undefined, by.may);
      const merged = before === undefined ? sent : mergeCertificates(await parseStored(before), sent);
      // What it was a part of may have been removed meanwhile.
      if (before === undefined) requireWhole(merged);
      const updatedAt = this.clock.now().toISOString();
      const updatedBy = by.actor?.accountId ?? NOBODY;
      const holders = holdersOf(before);
      const record = recordOf(
        merged,
        by.actor === undefined ? holders : withContributor(holders, by.actor, updatedAt),
        { updatedAt, updatedBy },
      );
      if (isSame(before, record.certificate)) return undefined;
      const action = before === undefined ? 'key.add' : 'key.change';
      const event = keyEvent(action, by.actor ?? null, before, record.certificate);
      return { record, event: { ...event, from: by.from } };
    });
    const outcome = changed ? (inserted ? 'inserted' : 'updated') : 'unchanged';
    return { fingerprint, outcome, comment: undefined };
  }

  /** A revocation without its certificate, as `gpg` makes it beforehand: it says who has made it, and that is the key (contract §3.5). */
  async #revoke(revocation: LooseRevocation, work: Work, by: Submitter): Promise<Submitted> {
    for (const issuer of revocation.issuers) {
      for (const fingerprint of await this.#named(issuer)) {
        const known = await this.#stored(fingerprint);
        if (known?.facts.keyId !== issuer && known?.facts.fingerprint !== issuer) continue;
        try {
          return await this.#take(revocationFor(known, revocation), work, by);
        } catch (error) {
          if (!(error instanceof DomainError) || error.code !== 'unprocessable') throw error;
        }
      }
    }
    throw new DomainError('unprocessable', 'This revocation is of no key that is stored here', {
      reason: 'key_not_found',
      remedy: 'Upload the key and the revocation together',
    });
  }

  /**
   * Primary keys that a revocation may be by. By its fingerprint also one that is not served is found, because all its user ids are
   * hidden: that it is revoked must be learned all the same.
   */
  async #named(issuer: string): Promise<readonly string[]> {
    if (issuer.length !== 16) return [issuer];
    const found = await this.certificates.find(handleOf.keyId(issuer), LIMITS.certificates);
    return found.map(({ fingerprint }) => fingerprint);
  }

  async #stored(fingerprint: string): Promise<Certificate | undefined> {
    const stored = await this.certificates.get(fingerprint);
    return stored && parseStored(stored.value);
  }
}

const invalid = ({ message }: DomainError): Submitted => ({
  fingerprint: '',
  outcome: 'invalid',
  comment: message,
});
