import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type AuditEvent, Trail } from '#libs/audit';
import type { Actor, AuditState } from '#libs/contract';
import { type Clock, digestFromHex, DomainError, KeyedLock } from '#libs/core';
import {
  type Certificate,
  type CertificateSummary,
  cleanCertificate,
  mergeCertificates,
  PACKET_LIMITS,
  type RawCertificate,
  readArmor,
  readCleanCertificate,
  readPackets,
  splitCertificates,
  summarise,
  type Work,
  workForUpload,
  writeArmor,
  writeCertificate,
} from '#libs/pgp';
import { CLOCK } from '#libs/server';
import { CertificatesStore, type StoredCertificate } from './certificates.store.js';
import { handlesOf } from './handles.js';
import { LIMITS } from './limits.js';
import { permittedOf, type Submitter } from './submitter.js';
import { addressOf } from './words.js';

/** What became of one certificate of an upload. */
export interface Submitted {
  readonly fingerprint: string;
  readonly outcome: 'inserted' | 'updated' | 'unchanged' | 'invalid';
  /** Why it is invalid. */
  readonly comment: string | undefined;
}

/** Who changed a certificate that was changed without a token. No account has this id. */
const NOBODY = 'nobody';
/** Writers that change one certificate at once are few; more lost races than this mean that something is wrong. */
const ATTEMPTS = 20;

/** Takes certificates in: cleaned, merged with what is known, stored with their handles. */
@Injectable()
export class SubmitService {
  /** Uploads of one account follow each other, so that nobody's checking keeps the others from theirs. */
  readonly #accounts = new KeyedLock();
  readonly #underWay = new Map<string, number>();

  constructor(
    private readonly certificates: CertificatesStore,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param keys armored text or binary packets
   * @param by who brings them, and what of them may be taken
   * @throws DomainError `unprocessable` when nothing of the upload could be accepted, `too_many_requests` when too many uploads of
   *   the account wait
   */
  async submit(keys: string | Uint8Array, by: Submitter): Promise<Submitted[]> {
    const accountId = by.actor?.accountId ?? by.from.address;
    const underWay = this.#underWay.get(accountId) ?? 0;
    if (underWay >= LIMITS.uploadsWaiting)
      throw new DomainError(
        'too_many_requests',
        `Expected at most ${LIMITS.uploadsWaiting} uploads at a time`,
        {
          reason: 'too_many_uploads',
          retryAfter: 1,
        },
      );
    this.#underWay.set(accountId, underWay + 1);
    try {
      return await this.#accounts.run(accountId, () => this.#submit(keys, by));
    } finally {
      const left = (this.#underWay.get(accountId) ?? 1) - 1;
      if (left > 0) this.#underWay.set(accountId, left);
      else this.#underWay.delete(accountId);
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
        if (!(error instanceof DomainError) || error.code !== 'unprocessable') throw error;
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
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const before = await this.certificates.get(fingerprint);
      const sent = permittedOf(brought, before !== undefined, by.may);
      const merged =
        before === undefined ? sent : mergeCertificates(await parseStored(before.value.armor), sent);
      const bytes = writeCertificate(merged);
      if (bytes.length > PACKET_LIMITS.certificateBytes) {
        throw new DomainError(
          'too_large',
          `Expected at most ${PACKET_LIMITS.certificateBytes} bytes in a key, got ${bytes.length}`,
        );
      }
      const armor = writeArmor(bytes);
      const summary = summarise(merged);
      const confirmed = confirmedOf(summary, before?.value.confirmed, by.actor);
      if (before?.value.armor === armor && before.value.confirmed?.join() === confirmed?.join())
        return { fingerprint, outcome: 'unchanged', comment: undefined };
      const handles = handlesOf(summary, confirmed);
      const value = {
        armor,
        fingerprint,
        algorithm: summary.algorithm,
        bits: summary.bits,
        created: summary.created,
        ...(summary.expires !== undefined && { expires: summary.expires }),
        revoked: summary.revoked,
        userIds: [...summary.userIds],
        subkeys: summary.subkeys.map(({ fingerprint: subkey }) => subkey),
        handles: handles.map(({ handle }) => handle),
        updatedAt: this.clock.now().toISOString(),
        updatedBy: by.actor?.accountId ?? NOBODY,
        ...(confirmed !== undefined && { confirmed }),
      };
      const entry = this.trail.write(eventOf(before?.value, value, by));
      if (await this.certificates.store(before, value, handles, entry)) {
        return { fingerprint, outcome: before === undefined ? 'inserted' : 'updated', comment: undefined };
      }
    }
    throw new DomainError(
      'conflict',
      `Key ${fingerprint.toUpperCase()} is being changed by others, try again`,
    );
  }
}

/** What the audit trail says: which certificate, and what it was and is by its hash. */
function eventOf(
  before: StoredCertificate | undefined,
  after: StoredCertificate,
  { actor, from }: Submitter,
): AuditEvent {
  return {
    action: before === undefined ? 'key.add' : 'key.change',
    actor: actor ?? null,
    from,
    subject: { kind: 'key', name: after.fingerprint },
    ...(before === undefined ? {} : { before: stateOf(before) }),
    after: stateOf(after),
  };
}

function stateOf({ armor, revoked }: StoredCertificate): AuditState {
  return { digest: digestFromHex(hash('sha256', armor)), revoked };
}

/** Addresses of which an account that has them brought the certificate, as far as it still names them (ADR 14). */
function confirmedOf(
  { userIds }: CertificateSummary,
  before: readonly string[] = [],
  actor: Actor | undefined,
): string[] | undefined {
  const own = new Set([...before, ...(actor === undefined ? [] : [actor.email.toLowerCase()])]);
  const named = new Set(userIds.map(({ text }) => addressOf(text)));
  const confirmed = [...own].filter((address) => named.has(address)).sort();
  return confirmed.length === 0 ? undefined : confirmed;
}

async function parseStored(armor: string): Promise<Certificate> {
  const [raw] = splitCertificates(readArmor(armor).flatMap((block) => readPackets(block)));
  if (raw === undefined) throw new Error('a stored certificate is empty');
  return readCleanCertificate(raw);
}
