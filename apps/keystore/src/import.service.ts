import { Inject, Injectable } from '@nestjs/common';
import { type Actor, KEY_IMPORT_LIMITS, type KeyImported } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import {
  type Certificate,
  certificatesIn,
  mergeCertificates,
  readCleanCertificate,
  readPackets,
  splitCertificates,
} from '#libs/pgp';
import { CLOCK } from '#libs/server';
import { AddCounts } from './add-counts.js';
import { CertificatesStore } from './certificates.store.js';
import { keyEvent } from './events.js';
import { LIMITS } from './limits.js';
import { primaryFingerprint } from './primary-fingerprint.js';
import { holdersOf, isSame, recordOf } from './record.js';
import { keyBlocked } from './policy.js';
import { parseStored } from './stored.js';
import type { Verified } from './verify-messages.js';
import { VerifyPool } from './verify-pool.js';

type Outcome =
  'inserted' | 'updated' | 'unchanged' | { readonly fingerprint: string; readonly message: string };

/**
 * Takes certificates in by the hundred: threads check them, and many share a commit. Nobody becomes a contributor by that, so nobody
 * but an administrator, and who proves to have it, can take such a key away.
 */
@Injectable()
export class ImportService {
  #underWay = 0;

  constructor(
    private readonly certificates: CertificatesStore,
    private readonly pool: VerifyPool,
    private readonly adds: AddCounts,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param packets of public keys, one certificate after the other
   * @throws DomainError `unprocessable` when they cannot be told apart, `too_large`, `too_many_requests`
   */
  async take(packets: Uint8Array, actor: Actor): Promise<KeyImported> {
    if (this.#underWay >= LIMITS.imports)
      throw new DomainError('too_many_requests', `Expected at most ${LIMITS.imports} imports at a time`, {
        reason: 'too_many_imports',
        retryAfter: 1,
      });
    this.#underWay += 1;
    try {
      return await this.#take(certificatesIn(packets, KEY_IMPORT_LIMITS.certificates), actor);
    } finally {
      this.#underWay -= 1;
    }
  }

  async #take(certificates: readonly Uint8Array[], actor: Actor): Promise<KeyImported> {
    const counts = { inserted: 0, updated: 0, unchanged: 0 };
    const refused: KeyImported['refused'] = [];
    const groups = inGroups(certificates, LIMITS.verifiedAtOnce);
    await Promise.all(
      groups.map(async (group, at) => {
        const verified = await this.pool.verify(group, this.clock.now());
        const outcomes = await Promise.all(verified.map((one) => this.#store(one, actor)));
        for (const [index, outcome] of outcomes.entries()) {
          this.adds.count(typeof outcome === 'string' ? outcome : 'invalid');
          if (typeof outcome === 'string') counts[outcome] += 1;
          else refused.push({ index: at * LIMITS.verifiedAtOnce + index, ...outcome });
        }
      }),
    );
    return { ...counts, refused: refused.toSorted((a, b) => a.index - b.index) };
  }

  async #store(verified: Verified, actor: Actor): Promise<Outcome> {
    if ('message' in verified) return verified;
    try {
      const [raw] = splitCertificates(readPackets(verified.bytes));
      if (raw === undefined) throw new Error('a checked certificate is empty');
      return await this.#merge(await readCleanCertificate(raw), actor);
    } catch (error) {
      if (!(error instanceof DomainError) || error.status >= 500) throw error;
      return { fingerprint: primaryFingerprint(verified.bytes), message: error.message };
    }
  }

  async #merge(sent: Certificate, actor: Actor): Promise<Outcome> {
    const { fingerprint } = sent.facts;
    let inserted = false;
    const changed = await this.certificates.change(fingerprint, async ({ certificate: before, blocked }) => {
      if (blocked) throw keyBlocked(fingerprint);
      inserted = before === undefined;
      const merged = before === undefined ? sent : mergeCertificates(await parseStored(before), sent);
      const updatedAt = this.clock.now().toISOString();
      const record = recordOf(merged, holdersOf(before), { updatedAt, updatedBy: actor.accountId });
      if (isSame(before, record.certificate)) return undefined;
      const action = before === undefined ? 'key.add' : 'key.change';
      return { record, event: keyEvent(action, actor, before, record.certificate) };
    });
    return changed ? (inserted ? 'inserted' : 'updated') : 'unchanged';
  }
}

function inGroups<T>(list: readonly T[], size: number): (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
