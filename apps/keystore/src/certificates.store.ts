import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { DomainError } from '#libs/core';
import type { Collection, CollectionSpec, ScanOptions, Stored, Write } from '#libs/documents';
import { Answers } from './answers.js';
import { DATABASE, type Database } from './database.store.js';
import type { Handle } from './handles.js';
import { LIMITS } from './limits.js';

const Certificate = z.object({
  /** What `op=get` serves. */
  armor: z.string(),
  /** 40 lower-case hex digits. */
  fingerprint: z.string(),
  algorithm: z.number(),
  bits: z.number(),
  /** Unix seconds, like all times here. */
  created: z.number(),
  expires: z.number().optional(),
  revoked: z.boolean(),
  userIds: z.array(z.object({ text: z.string(), created: z.number(), revoked: z.boolean() })),
  subkeys: z.array(z.string()),
  /** Every handle under which it is found, for taking back those that go. */
  handles: z.array(z.string()),
  /** Addresses in it, lower case, that accounts who brought it have (ADR 14). */
  confirmed: z.array(z.string()).optional(),
  updatedAt: z.string(),
  /** Account that brought the last change. */
  updatedBy: z.string(),
});
export type StoredCertificate = z.infer<typeof Certificate>;

const CERTIFICATES = {
  name: 'certificates',
  schema: Certificate,
  indexes: {},
} as const satisfies CollectionSpec<StoredCertificate>;

const HandleDocument = z.object({ handle: z.string(), place: z.number(), fingerprint: z.string() });
type HandleDocument = z.infer<typeof HandleDocument>;
const HANDLES = {
  name: 'handles',
  schema: HandleDocument,
  indexes: { byHandle: { fields: ['handle', 'place', 'fingerprint'] } },
} as const satisfies CollectionSpec<HandleDocument>;

/** Those of one certificate lie beside each other, so that a change touches few pages of the database. */
const idOf = (handle: string, fingerprint: string): string => `${fingerprint} ${handle}`;

export interface FoundHandle {
  readonly fingerprint: string;
  readonly place: number;
}

/** Certificates by fingerprint, and the handles that lead to them. Both change in one commit. */
@Injectable()
export class CertificatesStore {
  /**
   * What was answered. Only where nobody else can change the certificates: one process has a SQLite file, and every change goes
   * through {@link store}. Replicas that share a MongoDB could not tell each other in time, so there every answer is read.
   */
  readonly answers: Answers;
  readonly #database: Database;
  readonly #certificates: Collection<StoredCertificate, never>;
  readonly #handles: Collection<HandleDocument, 'byHandle'>;

  constructor(@Inject(DATABASE) database: Database) {
    this.answers = new Answers(database.driver === 'sqlite' ? LIMITS.answerBytes : 0);
    this.#database = database;
    this.#certificates = database.collection<StoredCertificate, never>(CERTIFICATES);
    this.#handles = database.collection<HandleDocument, 'byHandle'>(HANDLES);
  }

  get(fingerprint: string): Promise<Stored<StoredCertificate> | undefined> {
    return this.#certificates.get(fingerprint);
  }

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
    const found = await this.#handles.getMany(fingerprints.map((one) => idOf(handle, one)));
    return new Set(found.map(({ value }) => value.fingerprint));
  }

  /**
   * Stores a certificate with its handles, and the entry of the audit trail, unless somebody was faster.
   * @param before what was read, undefined for a new one
   * @throws DomainError `unprocessable` for a key of which so much changes that it cannot be done at once
   */
  async store(
    before: Stored<StoredCertificate> | undefined,
    value: StoredCertificate,
    handles: readonly Handle[],
    entry: Write,
  ): Promise<boolean> {
    const { fingerprint } = value;
    const certificate = before
      ? this.#certificates.write.replace(fingerprint, before.revision, value)
      : this.#certificates.write.insert(fingerprint, value);
    const wanted = new Set(handles.map(({ handle }) => handle));
    const gone = (before?.value.handles ?? []).filter((handle) => !wanted.has(handle));
    const writes: Write[] = [
      certificate,
      entry,
      // Also those that it had: their place may be another one now.
      ...handles.map((one) =>
        this.#handles.write.put(idOf(one.handle, fingerprint), { ...one, fingerprint }),
      ),
      ...gone.map((handle) => this.#handles.write.delete(idOf(handle, fingerprint))),
    ];
    if (writes.length > LIMITS.writes)
      throw new DomainError('unprocessable', 'Too much of this key has changed at once', {
        reason: 'too_many_changes',
      });
    try {
      return (await this.#database.commit(writes)).ok;
    } finally {
      // Also after a failure: nobody knows then whether it was written.
      this.answers.forget([...wanted, ...gone]);
    }
  }
}
