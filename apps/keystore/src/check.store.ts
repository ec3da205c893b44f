import type { KeyCheckPart, KeyProblem, KeyProblemKind } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { Collection, Documents, Stored } from '#libs/documents';
import { accountsOf, type CertificatesStore } from './certificates.store.js';
import {
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
import { keyEvent } from './events.js';
import { LIMITS } from './limits.js';
import { type CertificateRecord, holdersOf, recordOf } from './record.js';
import { stateOf } from './served.js';
import { parseStored } from './stored.js';

type Found = Omit<KeyProblem, 'repaired'>;
const PHASES = ['certificates', 'handles', 'holdings', 'changes'] as const;
type Phase = (typeof PHASES)[number];

/** Ids of one read that the document port takes. */
const MOST_IDS = 1000;

/** A part of a check, and where the next one begins; undefined at the end. */
export interface CheckedPart extends KeyCheckPart {
  readonly next: string | undefined;
}

/**
 * Compares certificates and what leads to them, both ways: every certificate with its handles, holders and place in the feed, and
 * every one of those with its certificate. What looks wrong is looked at again by itself, because others may be changing it.
 * Knows no framework: `scs keys check --offline` uses it too.
 */
export class KeyCheck {
  readonly #certificates: Collection<StoredCertificate, CertificateIndex>;
  readonly #handles: Collection<HandleDocument, HandleIndex>;
  readonly #holdings: Collection<Holding, HoldingIndex>;
  readonly #changes: Collection<ChangeDocument, ChangeIndex>;

  constructor(
    database: Documents,
    private readonly store: CertificatesStore,
  ) {
    this.#certificates = database.collection<StoredCertificate, CertificateIndex>(CERTIFICATES);
    this.#handles = database.collection<HandleDocument, HandleIndex>(HANDLES);
    this.#holdings = database.collection<Holding, HoldingIndex>(HOLDINGS);
    this.#changes = database.collection<ChangeDocument, ChangeIndex>(CHANGES);
  }

  /**
   * Checks one part.
   * @param from what the part before gave as `next`
   * @throws DomainError `bad_request` for a place that none gave
   */
  async part(from: string | undefined, repair: boolean): Promise<CheckedPart> {
    const { phase, cursor } = placeOf(from);
    const { looked, certificates, end } = await this.#walk(phase, {
      limit: LIMITS.checkedPart,
      ...(cursor !== undefined && { cursor }),
    });
    const suspects = Map.groupBy(
      phase === 'certificates' ? await this.#firstLook(certificates) : await this.#strays(looked),
      ({ fingerprint }) => fingerprint,
    );
    const problems: KeyProblem[] = [];
    for (const [fingerprint, found] of suspects)
      problems.push(...(await this.#look(fingerprint, handlesIn(found), repair)));
    const following = PHASES[PHASES.indexOf(phase) + 1];
    return {
      certificates: certificates.length,
      handles: phase === 'handles' ? looked.length : 0,
      problems,
      next:
        end !== undefined
          ? writePlace({ phase, cursor: end })
          : following && writePlace({ phase: following, cursor: undefined }),
    };
  }

  /** The next certificates, or what the next documents of another collection say belongs to one. */
  async #walk(
    phase: Phase,
    options: { limit: number; cursor?: string },
  ): Promise<{
    looked: readonly Found[];
    certificates: readonly StoredCertificate[];
    end: string | undefined;
  }> {
    switch (phase) {
      case 'certificates': {
        const { items, cursor } = await this.#certificates.scan('byFingerprint', options);
        return { looked: [], certificates: items.map(({ value }) => value), end: cursor };
      }
      case 'handles': {
        const { items, cursor } = await this.#handles.scan('byHandle', options);
        const looked = items.map(({ value }) => found('handle_stray', value.fingerprint, value.handle));
        return { looked, certificates: [], end: cursor };
      }
      case 'holdings': {
        const { items, cursor } = await this.#holdings.scan('byFingerprint', options);
        const looked = items.map(({ value }) => found('holder_stray', value.fingerprint, value.account));
        return { looked, certificates: [], end: cursor };
      }
      case 'changes': {
        const { items, cursor } = await this.#changes.scan('bySequence', options);
        const looked = items.map(({ value }) => found('change_wrong', value.fingerprint, value.state));
        return { looked, certificates: [], end: cursor };
      }
    }
  }

  /** What looks wrong with certificates, many in few reads: some of it may only be changing. */
  async #firstLook(certificates: readonly StoredCertificate[]): Promise<Found[]> {
    const problems: Found[] = [];
    for (const some of inGroups(certificates, LIMITS.checkedAtOnce)) {
      const records = await Promise.all(some.map((stored) => read(stored.fingerprint, stored)));
      const wanted = some.map((stored, index) => {
        const handles = records[index]?.handles.map(({ handle }) => handle) ?? [];
        return { ...stored, handles: [...new Set([...handles, ...stored.handles])] };
      });
      const beside = await this.#beside(wanted);
      for (const [index, stored] of some.entries())
        problems.push(...compare(stored, records[index], beside, wanted[index]?.handles ?? []));
    }
    return problems;
  }

  /** What does not belong to its certificate, at a first look. */
  async #strays(looked: readonly Found[]): Promise<Found[]> {
    const fingerprints = [...new Set(looked.map(({ fingerprint }) => fingerprint))];
    const certificates = new Map(
      (await this.#certificates.getMany(fingerprints)).map(({ id, value }) => [id, value]),
    );
    return looked.filter((one) => !belongs(one, certificates.get(one.fingerprint)));
  }

  /** The documents beside certificates, as far as they should be there. */
  async #beside(
    certificates: readonly Pick<StoredCertificate, 'fingerprint' | 'handles' | 'contributors' | 'owner'>[],
  ): Promise<Beside> {
    const ids = {
      handles: certificates.flatMap((one) => one.handles.map((handle) => handleId(handle, one.fingerprint))),
      holdings: certificates.flatMap((one) =>
        [...accountsOf(one)].map((account) => holdingId(account, one.fingerprint)),
      ),
      changes: certificates.map(({ fingerprint }) => fingerprint),
    };
    return {
      places: new Map((await all(this.#handles, ids.handles)).map(({ id, value }) => [id, value.place])),
      holdings: new Map(
        (await all(this.#holdings, ids.holdings)).map(({ id, value }) => [id, value.expiring]),
      ),
      states: new Map((await all(this.#changes, ids.changes)).map(({ id, value }) => [id, value.state])),
    };
  }

  /**
   * Everything about one certificate, at one moment: all of it changes in one commit.
   * @param extra handles that lead to it, as somebody has seen
   */
  async #look(fingerprint: string, extra: readonly string[], repair: boolean): Promise<KeyProblem[]> {
    for (let attempt = 0; attempt < LIMITS.checkAttempts; attempt += 1) {
      const before = await this.#certificates.get(fingerprint);
      const stored = before?.value;
      const record = stored === undefined ? null : await read(fingerprint, stored);
      const known = [
        ...new Set([
          ...(stored?.handles ?? []),
          ...(record?.handles.map(({ handle }) => handle) ?? []),
          ...extra,
        ]),
      ];
      const beside = await this.#beside([{ ...stored, fingerprint, handles: known }]);
      const kept = await this.#holdings.scan('byFingerprint', { equal: [fingerprint], limit: 1000 });
      for (const { id, value } of kept.items) beside.holdings.set(id, value.expiring);
      const problems = compare(stored, record, beside, known, fingerprint);
      if (problems.length === 0) return [];
      // What changes meanwhile is looked at again.
      if ((await this.#certificates.get(fingerprint))?.revision !== before?.revision) continue;
      const repaired = repair && record !== undefined && (await this.#repair(fingerprint, before, problems));
      return problems.map((problem) => ({ ...problem, repaired }));
    }
    throw new DomainError('conflict', `Key ${fingerprint.toUpperCase()} is being changed all the time`);
  }

  /** @returns false when somebody was faster: then it is another certificate that the next check looks at */
  async #repair(
    fingerprint: string,
    before: Stored<StoredCertificate> | undefined,
    problems: readonly Found[],
  ): Promise<boolean> {
    const strays = (kind: KeyProblemKind): string[] =>
      problems.flatMap((one) => (one.kind === kind && one.what !== undefined ? [one.what] : []));
    return this.store.change(fingerprint, async ({ certificate }) => {
      if (sorted(certificate) !== sorted(before?.value)) return undefined;
      const record = certificate && (await read(fingerprint, certificate));
      if (certificate !== undefined && record === undefined) return undefined;
      const repair = { handles: strays('handle_stray'), holdings: strays('holder_stray') };
      const event = keyEvent('key.repair', null, certificate, record?.certificate, fingerprint);
      return { ...(record !== undefined && { record }), repair, event };
    });
  }
}

/** Documents beside certificates: places of handles, times of holdings and states of changes, by their ids. */
interface Beside {
  readonly places: ReadonlyMap<string, number>;
  readonly holdings: Map<string, number | undefined>;
  readonly states: ReadonlyMap<string, ChangeDocument['state']>;
}

/**
 * What is wrong with a certificate and what lies beside it.
 * @param record what the certificate itself says; null: there is none; undefined: it cannot be read
 * @param known handles that lead to it, or should
 */
function compare(
  stored: StoredCertificate | undefined,
  record: CertificateRecord | null | undefined,
  { places, holdings, states }: Beside,
  known: readonly string[],
  fingerprint = stored?.fingerprint ?? '',
): Found[] {
  if (record === undefined) return [found('unreadable', fingerprint)];
  const right = record?.certificate;
  const outdated = stored !== undefined && sorted(stored) !== sorted(right);
  const wanted = new Map((record?.handles ?? []).map(({ handle, place }) => [handle, place]));
  const handles = known.flatMap((handle) => {
    const [want, have] = [wanted.get(handle), places.get(handleId(handle, fingerprint))];
    if (want === have) return [];
    if (have === undefined) return [found('handle_missing', fingerprint, handle)];
    return [found(want === undefined ? 'handle_stray' : 'handle_wrong', fingerprint, handle)];
  });
  const accounts = accountsOf(right);
  const missing = [...accounts].filter((account) => {
    const id = holdingId(account, fingerprint);
    return !holdings.has(id) || holdings.get(id) !== right?.expiring;
  });
  const strays = [...holdings.keys()]
    .filter((id) => id.endsWith(` ${fingerprint}`))
    .map((id) => id.slice(0, -fingerprint.length - 1))
    .filter((account) => !accounts.has(account));
  const state = states.get(fingerprint);
  // What was never here need not be in the feed.
  const told = state === undefined ? right === undefined : state === stateOf(right);
  return [
    ...(outdated ? [found('outdated', fingerprint)] : []),
    ...handles,
    ...missing.map((account) => found('holder_missing', fingerprint, account)),
    ...strays.map((account) => found('holder_stray', fingerprint, account)),
    ...(told ? [] : [found('change_wrong', fingerprint, state)]),
  ];
}

/** All documents with these ids that there are, however many. */
async function all<D extends object>(
  collection: Pick<Collection<D>, 'getMany'>,
  ids: readonly string[],
): Promise<Stored<D>[]> {
  const documents: Stored<D>[] = [];
  for (const some of inGroups(ids, MOST_IDS)) documents.push(...(await collection.getMany(some)));
  return documents;
}

/** What the certificate itself says should be kept of it; undefined when it cannot be read, or is another one. */
async function read(fingerprint: string, stored: StoredCertificate): Promise<CertificateRecord | undefined> {
  const { updatedAt, updatedBy } = stored;
  try {
    const record = recordOf(await parseStored(stored), holdersOf(stored), { updatedAt, updatedBy });
    return record.certificate.fingerprint === fingerprint ? record : undefined;
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

/** Whether what was found says the same as the certificate. */
function belongs({ kind, what = '' }: Found, certificate: StoredCertificate | undefined): boolean {
  if (kind === 'handle_stray') return certificate?.handles.includes(what) === true;
  if (kind === 'holder_stray') return accountsOf(certificate).has(what);
  return stateOf(certificate) === what;
}

function found(kind: KeyProblemKind, fingerprint: string, what?: string): Found {
  return { kind, fingerprint, ...(what !== undefined && { what }) };
}

const handlesIn = (list: readonly Found[]): string[] =>
  list.flatMap(({ kind, what }) => (kind === 'handle_stray' && what !== undefined ? [what] : []));

function* inGroups<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}

/** Members in one order, without those that are undefined. */
function sorted(value: object | undefined): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

interface Place {
  readonly phase: Phase;
  readonly cursor: string | undefined;
}

const writePlace = ({ phase, cursor = '' }: Place): string => `${phase} ${cursor}`;

function placeOf(text: string | undefined): Place {
  const [name = '', cursor = ''] = (text ?? PHASES[0]).split(' ', 2);
  const phase = PHASES.find((one) => one === name);
  if (phase === undefined) throw new DomainError('bad_request', 'Expected a cursor that a check has given');
  return { phase, cursor: cursor === '' ? undefined : cursor };
}
