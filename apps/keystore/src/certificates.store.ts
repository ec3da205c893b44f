import { hash } from 'node:crypto';
import type { AuditEvent, Trail } from '#libs/audit';
import type { Clock } from '#libs/core';
import type { Collection, Documents, ScanOptions, Stored, Write } from '#libs/documents';
import { Answers } from './answers.js';
import {
  type Block,
  BLOCKED,
  type BlockIndex,
  type CertificateIndex,
  CERTIFICATES,
  type ChangeDocument,
  type ChangeIndex,
  CHANGES,
  type HandleDocument,
  type HandleIndex,
  handleId,
  HANDLES,
  type Holding,
  holdingId,
  type HoldingIndex,
  HOLDINGS,
  type StoredCertificate,
} from './collections.store.js';
import { Commits, type Prepared } from './commits.store.js';
import { LIMITS } from './limits.js';
import type { CertificateRecord } from './record.js';
import { stateOf } from './served.js';

export type { StoredCertificate } from './collections.store.js';

export interface FoundHandle {
  readonly fingerprint: string;
  readonly place: number;
}

/** What there is of a key when it is to be changed. */
export interface Known {
  readonly certificate: StoredCertificate | undefined;
  /** An administrator has blocked it: it may not come again. */
  readonly blocked: boolean;
}

/** What becomes of a certificate, and what the audit trail says about it. */
export interface Change {
  /** Null: it is removed. Undefined: it stays as it is. */
  readonly record?: CertificateRecord | null;
  /** Whether it may not come again from now on; as before when absent. */
  readonly blocked?: boolean;
  /** Repairs: what belongs to it is written whether or not it should be there, and what does not belong to it goes. */
  readonly repair?: {
    readonly handles: readonly string[];
    /** Accounts. */
    readonly holdings: readonly string[];
  };
  readonly event: AuditEvent;
}

interface Before {
  readonly stored: Stored<StoredCertificate> | undefined;
  readonly blocked: boolean;
}

/**
 * Certificates by fingerprint, the handles that lead to them, who holds them, and the feed of what changed. Knows no framework:
 * `scs keys check --offline` uses it too.
 */
export class CertificatesStore {
  /**
   * What was answered. Only where nobody else can change the certificates: one process has a SQLite file, and every change goes
   * through {@link change}. Replicas that share a MongoDB could not tell each other in time, so there every answer is read.
   */
  readonly answers: Answers;
  readonly #certificates: Collection<StoredCertificate, CertificateIndex>;
  readonly #handles: Collection<HandleDocument, HandleIndex>;
  readonly #holdings: Collection<Holding, HoldingIndex>;
  readonly #changes: Collection<ChangeDocument, ChangeIndex>;
  readonly #blocked: Collection<Block, BlockIndex>;
  readonly #commits: Commits<Before>;
  readonly #listeners = new Set<() => void>();

  constructor(
    database: Documents,
    private readonly trail: Trail,
    private readonly clock: Clock,
  ) {
    this.answers = new Answers(database.driver === 'sqlite' ? LIMITS.answerBytes : 0);
    this.#certificates = database.collection<StoredCertificate, CertificateIndex>(CERTIFICATES);
    this.#handles = database.collection<HandleDocument, HandleIndex>(HANDLES);
    this.#holdings = database.collection<Holding, HoldingIndex>(HOLDINGS);
    this.#changes = database.collection<ChangeDocument, ChangeIndex>(CHANGES);
    this.#blocked = database.collection<Block, BlockIndex>(BLOCKED);
    this.#commits = new Commits<Before>(database, (fingerprints) => this.#load(fingerprints));
  }

  /** Served or not: see {@link isServed}. */
  get(fingerprint: string): Promise<Stored<StoredCertificate> | undefined> {
    return this.#certificates.get(fingerprint);
  }

  /** Served or not, in the order asked. */
  async getMany(fingerprints: readonly string[]): Promise<readonly StoredCertificate[]> {
    return (await this.#certificates.getMany(fingerprints)).map(({ value }) => value);
  }

  /**
   * Certificates that a handle leads to, in the order of their places, then of their fingerprints.
   * @param after continues behind this one, whatever has come or gone meanwhile
   */
  async find(handle: string, limit: number, after?: FoundHandle): Promise<FoundHandle[]> {
    if (after === undefined) return this.#found({ equal: [handle], limit });
    const { place, fingerprint } = after;
    // A blank is less than any digit.
    const beside = await this.#found({ equal: [handle, place], from: `${fingerprint} `, limit });
    if (beside.length === limit) return beside;
    const behind = { equal: [handle], from: place + 1, limit: limit - beside.length };
    return [...beside, ...(await this.#found(behind))];
  }

  async #found(range: Omit<ScanOptions, 'cursor'>): Promise<FoundHandle[]> {
    const found = await this.#handles.keys('byHandle', range);
    return found.map(({ keys: [, place, fingerprint] }) => ({
      fingerprint: String(fingerprint),
      place: Number(place),
    }));
  }

  /** Those of some certificates that a handle leads to. */
  async among(handle: string, fingerprints: readonly string[]): Promise<Set<string>> {
    const found = await this.#handles.getMany(fingerprints.map((one) => handleId(handle, one)));
    return new Set(found.map(({ value }) => value.fingerprint));
  }

  /** Called after every commit of this process. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The one way to change a certificate: certificate, handles, holders, block, feed and audit entry in one commit, after which no
   * answer from before it is given.
   * @param decide what becomes of what is there; undefined: nothing. Called again whenever another process was faster
   * @returns whether anything was changed
   * @throws DomainError `conflict` after many lost races, `unprocessable` when too much of the key changes at once
   */
  change(fingerprint: string, decide: (known: Known) => Promise<Change | undefined>): Promise<boolean> {
    return this.#commits.add(fingerprint, async ({ stored, blocked }) => {
      const change = await decide({ certificate: stored?.value, blocked });
      return change && this.#prepared(fingerprint, stored, change);
    });
  }

  async #load(fingerprints: readonly string[]): Promise<Map<string, Before>> {
    const hashes = fingerprints.map(fingerprintHash);
    const [stored, blocked] = await Promise.all([
      this.#certificates.getMany(fingerprints),
      this.#blocked.getMany(hashes),
    ]);
    const known = new Map(stored.map((one) => [one.id, one]));
    const refused = new Set(blocked.map(({ id }) => id));
    return new Map(
      fingerprints.map((one, index) => [
        one,
        { stored: known.get(one), blocked: refused.has(hashes[index] ?? '') },
      ]),
    );
  }

  #prepared(
    fingerprint: string,
    stored: Stored<StoredCertificate> | undefined,
    { record, blocked, repair, event }: Change,
  ): Prepared {
    const before = stored?.value;
    const after = record === undefined ? before : (record?.certificate ?? undefined);
    const state = stateOf(after);
    const told =
      repair !== undefined ||
      stateOf(before) !== state ||
      (before?.armor !== after?.armor && state !== 'removed');
    const entry = (sequence: number): ChangeDocument => ({
      sequence,
      fingerprint,
      state,
      at: this.clock.now().toISOString(),
    });
    return {
      numbered: told,
      more: Number(after !== undefined) - Number(before !== undefined),
      writes: (sequence) => [
        ...(repair === undefined ? [] : this.#strayWrites(fingerprint, repair)),
        ...(record === undefined
          ? []
          : this.#certificateWrites(fingerprint, stored, record, repair !== undefined)),
        ...(blocked === undefined ? [] : [this.#blockWrite(fingerprint, blocked)]),
        ...(told ? [this.#changes.write.put(fingerprint, entry(sequence))] : []),
        this.trail.write(event),
      ],
      settled: () => {
        // Also after a failure: nobody knows then whether it was written.
        this.answers.forget(new Set([...(before?.handles ?? []), ...(after?.handles ?? [])]));
        for (const listener of this.#listeners) listener();
      },
    };
  }

  #certificateWrites(
    fingerprint: string,
    stored: Stored<StoredCertificate> | undefined,
    record: CertificateRecord | null,
    anew: boolean,
  ): Write[] {
    const handles = record?.handles ?? [];
    const wanted = new Set(handles.map(({ handle }) => handle));
    const gone = (stored?.value.handles ?? []).filter((handle) => !wanted.has(handle));
    return [
      ...this.#certificateWrite(fingerprint, stored, record?.certificate),
      // Also those that it had: their place may be another one now.
      ...handles.map((one) =>
        this.#handles.write.put(handleId(one.handle, fingerprint), { ...one, fingerprint }),
      ),
      ...gone.map((handle) => this.#handles.write.delete(handleId(handle, fingerprint))),
      ...this.#holdingWrites(fingerprint, stored?.value, record?.certificate, anew),
    ];
  }

  #strayWrites(fingerprint: string, { handles, holdings }: NonNullable<Change['repair']>): Write[] {
    return [
      ...handles.map((handle) => this.#handles.write.delete(handleId(handle, fingerprint))),
      ...holdings.map((account) => this.#holdings.write.delete(holdingId(account, fingerprint))),
    ];
  }

  #certificateWrite(
    fingerprint: string,
    stored: Stored<StoredCertificate> | undefined,
    value: StoredCertificate | undefined,
  ): Write[] {
    const { write } = this.#certificates;
    if (value === undefined) return stored === undefined ? [] : [write.delete(fingerprint, stored.revision)];
    return [
      stored === undefined
        ? write.insert(fingerprint, value)
        : write.replace(fingerprint, stored.revision, value),
    ];
  }

  #holdingWrites(
    fingerprint: string,
    before: StoredCertificate | undefined,
    after: StoredCertificate | undefined,
    anew: boolean,
  ): Write[] {
    const [had, has] = [accountsOf(before), accountsOf(after)];
    const expiring = after?.expiring;
    const holding = { fingerprint, ...(expiring !== undefined && { expiring }) };
    const same = before?.expiring === expiring && !anew;
    return [
      ...[...has]
        .filter((account) => !same || !had.has(account))
        .map((account) => this.#holdings.write.put(holdingId(account, fingerprint), { account, ...holding })),
      ...[...had]
        .filter((account) => !has.has(account))
        .map((account) => this.#holdings.write.delete(holdingId(account, fingerprint))),
    ];
  }

  #blockWrite(fingerprint: string, blocked: boolean): Write {
    const id = fingerprintHash(fingerprint);
    if (!blocked) return this.#blocked.write.delete(id);
    return this.#blocked.write.put(id, { hash: id, since: this.clock.now().toISOString() });
  }
}

/** SHA-256 of a fingerprint in lower-case hexadecimal, as blocks know it. */
export const fingerprintHash = (fingerprint: string): string => hash('sha256', fingerprint.toLowerCase());

/** The accounts that brought or own a certificate. */
export function accountsOf(
  certificate: Pick<StoredCertificate, 'contributors' | 'owner'> | undefined,
): ReadonlySet<string> {
  const { contributors = [], owner } = certificate ?? {};
  return new Set([...contributors, ...(owner === undefined ? [] : [owner])].map(({ account }) => account));
}
