import type { Trail } from '#libs/audit';
import { NOTICE_DAYS } from '#libs/contract';
import type { Clock } from '#libs/core';
import type { Collection, Documents, Stored } from '#libs/documents';
import {
  type CertificateIndex,
  CERTIFICATES,
  type Notice,
  type NoticeIndex,
  NOTICES,
  type Party,
  type StoredCertificate,
} from './collections.store.js';
import { noticeEvent } from './events.js';
import { LIMITS } from './limits.js';
import { toldOfEnd } from './policy.js';

const DAY = 86_400;
const FIRST = Math.max(...NOTICE_DAYS);

const noticeId = (account: string, fingerprint: string): string => `${account} ${fingerprint}`;

/** A notice, and the certificate that it is about. */
export interface FoundNotice {
  readonly notice: Notice;
  readonly certificate: StoredCertificate;
}

/**
 * Who was told of the end of which certificate. A notice and its entry in the audit trail are one commit, and it is made by compare
 * and set: each comes once, however many processes look and whenever one of them is killed. Knows no framework.
 */
export class NoticesStore {
  readonly #certificates: Collection<StoredCertificate, CertificateIndex>;
  readonly #notices: Collection<Notice, NoticeIndex>;

  constructor(
    private readonly database: Documents,
    private readonly trail: Trail,
    private readonly clock: Clock,
  ) {
    this.#certificates = database.collection<StoredCertificate, CertificateIndex>(CERTIFICATES);
    this.#notices = database.collection<Notice, NoticeIndex>(NOTICES);
  }

  /**
   * Tells everybody who is to be told by now. Where a day was missed only the last one is told.
   * @param signal stops it between two notices; what is left is for the next time
   * @returns how many were told
   */
  async tell(signal?: AbortSignal): Promise<number> {
    const now = this.#now();
    const span = { from: now - LIMITS.noticeDaysAfter * DAY, before: now + FIRST * DAY + 1 };
    let told = 0;
    let cursor: string | undefined;
    do {
      const found = await this.#certificates.scan('byExpiry', {
        ...span,
        limit: LIMITS.noticesAtOnce,
        ...(cursor !== undefined && { cursor }),
      });
      for (const { value } of found.items) {
        if (signal?.aborted === true) return told;
        told += await this.#tellOf(value, now);
      }
      cursor = found.cursor;
    } while (cursor !== undefined);
    return told;
  }

  /** Forgets notices of long ago. @returns how many */
  async sweep(signal?: AbortSignal): Promise<number> {
    const before = this.#now() - LIMITS.noticeKeptDays * DAY;
    let removed = 0;
    for (;;) {
      const { items } = await this.#notices.scan('byEnd', { before, limit: LIMITS.noticesAtOnce });
      if (items.length === 0 || signal?.aborted === true) return removed;
      for (const { id, revision } of items) await this.#notices.delete(id, revision);
      removed += items.length;
    }
  }

  /** Those of an account that still hold, newest first. A page may have fewer than its limit. */
  async list(
    account: string,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<{ found: FoundNotice[]; cursor: string | undefined }> {
    const page = await this.#notices.scan('byAccount', {
      equal: [account],
      direction: 'descending',
      limit,
      ...(cursor !== undefined && { cursor }),
    });
    const read = await this.#certificates.getMany(page.items.map(({ value }) => value.fingerprint));
    const certificates = new Map(read.map(({ id, value }) => [id, value]));
    const found = page.items.flatMap(({ value: notice }) => {
      const certificate = certificates.get(notice.fingerprint);
      return certificate !== undefined && holds(notice, certificate) ? [{ notice, certificate }] : [];
    });
    return { found, cursor: page.cursor };
  }

  /** Notes that an account knows of one that still holds. @returns undefined when there is none */
  async acknowledge(account: string, fingerprint: string): Promise<FoundNotice | undefined> {
    const certificate = (await this.#certificates.get(fingerprint))?.value;
    const notice = await this.#notices.update(noticeId(account, fingerprint), (current) =>
      current !== undefined && certificate !== undefined && holds(current, certificate)
        ? { ...current, acknowledged: true }
        : undefined,
    );
    const still = notice !== undefined && certificate !== undefined && holds(notice, certificate);
    return still ? { notice, certificate } : undefined;
  }

  async #tellOf(certificate: StoredCertificate, now: number): Promise<number> {
    const { fingerprint, expiring } = certificate;
    const parties = toldOfEnd(certificate);
    if (expiring === undefined || parties.length === 0) return 0;
    const days = daysReached(expiring - now);
    const ids = parties.map(({ account }) => noticeId(account, fingerprint));
    const known = new Map((await this.#notices.getMany(ids)).map((one) => [one.id, one]));
    let told = 0;
    for (const party of parties) {
      const before = known.get(noticeId(party.account, fingerprint));
      if (before?.value.expires === expiring && before.value.days <= days) continue;
      const { account } = party;
      const at = this.clock.now().toISOString();
      const notice = { account, fingerprint, expires: expiring, days, at, acknowledged: false };
      if (await this.#put(before, notice, party)) told += 1;
    }
    return told;
  }

  /** @returns false when another process was faster: then it has told */
  async #put(before: Stored<Notice> | undefined, notice: Notice, { username }: Party): Promise<boolean> {
    const { write } = this.#notices;
    const id = noticeId(notice.account, notice.fingerprint);
    const result = await this.database.commit([
      before === undefined ? write.insert(id, notice) : write.replace(id, before.revision, notice),
      this.trail.write(noticeEvent(notice, username)),
    ]);
    return result.ok;
  }

  #now(): number {
    return Math.floor(this.clock.now().getTime() / 1000);
  }
}

/** The last of the days that was reached. @param left seconds until the end */
function daysReached(left: number): number {
  return Math.min(...NOTICE_DAYS.filter((days) => left <= days * DAY), FIRST);
}

/** Whether it is about the end that the certificate has now, and still about what the account owns or brought. */
function holds(notice: Notice, certificate: StoredCertificate): boolean {
  return (
    certificate.expiring === notice.expires &&
    toldOfEnd(certificate).some(({ account }) => account === notice.account)
  );
}
