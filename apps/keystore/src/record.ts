import type { Actor } from '#libs/contract';
import { DomainError } from '#libs/core';
import {
  type Certificate,
  hashOfUserId,
  PACKET_LIMITS,
  summarise,
  withoutUserIds,
  writeArmor,
  writeCertificate,
  writeWithheld,
} from '#libs/pgp';
import type { Party, StoredCertificate } from './collections.store.js';
import { type Handle, handlesOf } from './handles.js';
import { LIMITS } from './limits.js';
import { isServed } from './served.js';
import { addressOf } from './words.js';

/** Whose a certificate is, and what of it is hidden: all that its packets do not say. */
export interface Holders {
  readonly contributors: readonly Party[];
  readonly owner: Party | undefined;
  /** SHA-256 of user ids, hexadecimal. */
  readonly hidden: readonly string[];
}

/** A certificate as it is stored, with the handles that lead to it. */
export interface CertificateRecord {
  readonly certificate: StoredCertificate;
  readonly handles: readonly Handle[];
}

export function holdersOf(stored: StoredCertificate | undefined): Holders {
  return {
    contributors: stored?.contributors ?? [],
    owner: stored?.owner,
    hidden: stored?.hidden ?? [],
  };
}

/**
 * What is stored of a certificate: without what its owner hides, and with everything that look-ups need, so that they parse nothing.
 * @throws DomainError `too_large`
 */
export function recordOf(
  whole: Certificate,
  { contributors, owner, hidden }: Holders,
  updated: Pick<StoredCertificate, 'updatedAt' | 'updatedBy'>,
): CertificateRecord {
  const left = withoutUserIds(whole, new Set(hidden));
  const bytes = writeCertificate(left);
  const withheld = writeWithheld(left);
  requireSize(left, bytes.length + withheld.length);
  const summary = summarise(left);
  const { fingerprint, revoked, expires } = summary;
  const confirmed = addressesOf(contributors, owner);
  // Those of which nothing but a revocation has come are not shown.
  const hashes = left.userIds
    .filter(({ bindings }) => bindings.length > 0)
    .map(({ packet }) => hashOfUserId(packet));
  const userIds = summary.userIds.map((userId, index) => ({
    ...userId,
    hash: hashes[index],
    confirmed: confirmed.has(addressOf(userId.text) ?? ''),
  }));
  const handles = isServed({ fingerprint, userIds, revoked }) ? handlesOf(summary, confirmed) : [];
  return {
    certificate: {
      armor: writeArmor(bytes),
      ...(withheld.length > 0 && { withheld: withheld.toString('base64') }),
      fingerprint,
      algorithm: summary.algorithm,
      bits: summary.bits,
      created: summary.created,
      ...(expires !== undefined && { expires, ...(!revoked && { expiring: expires }) }),
      revoked,
      ...(summary.alone && { alone: true }),
      userIds,
      subkeys: summary.subkeys.map((subkey) => subkey.fingerprint),
      handles: handles.map(({ handle }) => handle),
      contributors: [...contributors],
      ...(owner !== undefined && { owner }),
      hidden: [...hidden],
      ...updated,
    },
    handles,
  };
}

/**
 * Revocations of the key do not count: a key is revoked however large it is, or whoever has stolen one that is full could use it for good.
 * There are few of them (PACKET_LIMITS.signatures).
 */
function requireSize({ revocations }: Certificate, bytes: number): void {
  const counted = bytes - revocations.reduce((sum, { body }) => sum + body.length, 0);
  if (counted > PACKET_LIMITS.certificateBytes)
    throw new DomainError(
      'too_large',
      `Expected at most ${PACKET_LIMITS.certificateBytes} bytes in a key, got ${counted}`,
    );
}

/** Whether a certificate holds what it held before. */
export const isSame = (before: StoredCertificate | undefined, after: StoredCertificate): boolean =>
  before?.armor === after.armor && before.withheld === after.withheld;

function addressesOf(contributors: readonly Party[], owner: Party | undefined): ReadonlySet<string> {
  const parties = owner === undefined ? contributors : [...contributors, owner];
  return new Set(parties.map(({ email }) => email).filter((email) => email !== ''));
}

/** An account as it is remembered with a certificate. */
export function partyOf({ accountId, username, email }: Actor, at: string): Party {
  return { account: accountId, username, email: email.toLowerCase(), at };
}

/** With an account among those that brought something: once, as of the first time, and not when there are enough. */
export function withContributor(holders: Holders, actor: Actor, at: string): Holders {
  const { contributors } = holders;
  const known = contributors.find(({ account }) => account === actor.accountId);
  const party = partyOf(actor, known?.at ?? at);
  if (known !== undefined)
    return { ...holders, contributors: contributors.map((one) => (one === known ? party : one)) };
  if (contributors.length >= LIMITS.contributors) return holders;
  return { ...holders, contributors: [...contributors, party] };
}
