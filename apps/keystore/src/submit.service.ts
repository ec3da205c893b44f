import { Inject, Injectable } from '@nestjs/common';
import { type Clock, DomainError, type ErrorCode, KeyedLock } from '#libs/core';
import {
  cleanCertificate,
  mergeCertificates,
  type RawCertificate,
  readArmor,
  readPackets,
  splitCertificates,
  type Work,
  workForUpload,
} from '#libs/pgp';
import { CLOCK } from '#libs/server';
import { CertificatesStore } from './certificates.store.js';
import { keyEvent } from './events.js';
import { LIMITS } from './limits.js';
import { keyBlocked } from './policy.js';
import { holdersOf, recordOf, withContributor } from './record.js';
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
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['unprocessable', 'forbidden']);

/** Takes certificates in: cleaned, merged with what is known, stored with their handles. */
@Injectable()
export class SubmitService {
  /** Uploads of one account follow each other, so that nobody's checking keeps the others from theirs. */
  readonly #accounts = new KeyedLock();
  readonly #underWay = new Map<string, number>();

  constructor(
    private readonly certificates: CertificatesStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param keys armored text or binary packets
   * @param by who brings them, and what of them may be taken
   * @throws DomainError `unprocessable` when nothing of the upload could be accepted, `too_many_requests` when too many uploads of
   *   the account wait
   */
  async submit(keys: string | Uint8Array, by: Submitter): Promise<Submitted[]> {
    const who = by.actor?.accountId ?? by.from.address;
    const underWay = this.#underWay.get(who) ?? 0;
    if (underWay >= LIMITS.uploadsWaiting)
      throw new DomainError(
        'too_many_requests',
        `Expected at most ${LIMITS.uploadsWaiting} uploads at a time`,
        {
          reason: 'too_many_uploads',
          retryAfter: 1,
        },
      );
    this.#underWay.set(who, underWay + 1);
    try {
      return await this.#accounts.run(who, () => this.#submit(keys, by));
    } finally {
      const left = (this.#underWay.get(who) ?? 1) - 1;
      if (left > 0) this.#underWay.set(who, left);
      else this.#underWay.delete(who);
    }
  }

  async #submit(keys: string | Uint8Array, by: Submitter): Promise<Submitted[]> {
    const work = workForUpload();
    const blocks = typeof keys === 'string' ? readArmor(keys) : [keys];
    const raw = splitCertificates(blocks.flatMap((block) => readPackets(block)));
    const results: Submitted[] = [];
    let refused: DomainError | undefined;
    for (const certificate of raw) {
      try {
        results.push(await this.#take(certificate, work, by));
      } catch (error) {
        if (!(error instanceof DomainError) || !REFUSALS.has(error.code)) throw error;
        refused ??= error;
        results.push({ fingerprint: '', outcome: 'invalid', comment: error.message });
      }
    }
    if (refused !== undefined && results.every(({ outcome }) => outcome === 'invalid')) throw refused;
    return results;
  }

  async #take(raw: RawCertificate, work: Work, by: Submitter): Promise<Submitted> {
    const brought = await cleanCertificate(raw, this.clock, work);
    const { fingerprint } = brought.facts;
    let inserted = false;
    const changed = await this.certificates.change(fingerprint, async ({ certificate: before, blocked }) => {
      if (blocked) throw keyBlocked(fingerprint);
      inserted = before === undefined;
      const sent = permittedOf(brought, before !== undefined, by.may);
      const merged = before === undefined ? sent : mergeCertificates(await parseStored(before.armor), sent);
      const updatedAt = this.clock.now().toISOString();
      const updatedBy = by.actor?.accountId ?? NOBODY;
      const holders = holdersOf(before);
      const record = recordOf(
        merged,
        by.actor === undefined ? holders : withContributor(holders, by.actor, updatedAt),
        { updatedAt, updatedBy },
      );
      if (before?.armor === record.certificate.armor) return undefined;
      const action = before === undefined ? 'key.add' : 'key.change';
      const event = keyEvent(action, by.actor ?? null, before, record.certificate);
      return { record, event: { ...event, from: by.from } };
    });
    const outcome = changed ? (inserted ? 'inserted' : 'updated') : 'unchanged';
    return { fingerprint, outcome, comment: undefined };
  }
}
