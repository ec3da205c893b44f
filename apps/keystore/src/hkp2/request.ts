import { DomainError, expected } from '#libs/core';
import { handleOf } from '../handles.js';
import { LIMITS } from '../limits.js';
import { parseSearch, type Search } from '../search.js';
import { emailIn } from '../words.js';

/* What HKP v2 asks for (keystore contract §1.12). The spelling of its routes changed between drafts: it is nowhere but here and in the controller. */

/** Hex digits of a fingerprint by the version that stands before it. */
const DIGITS: Readonly<Record<string, number>> = { '04': 40, '06': 64 };

/** `04<fp>`, or `04` and `<fp>`, in any case. @throws DomainError `not_found` for what can be no key of that version */
export function byVersionedFingerprint(version: string, fingerprint: string): Search {
  const hex = fingerprint.toLowerCase();
  if (!/^[0-9a-f]+$/.test(hex) || hex.length !== DIGITS[version]) throw noSuchKey();
  return { kind: 'fingerprint', hex };
}

/** @throws DomainError `not_found` for what is no id of 16 digits */
export function byKeyId(id: string): Search {
  if (!/^[0-9a-f]{16}$/i.test(id)) throw noSuchKey();
  return { kind: 'key_id', hex: id.toLowerCase() };
}

/**
 * An address, or a whole user id without one, in certificates of every version.
 * @throws DomainError `bad_request`
 */
export function byIdentity(identity: string): string[] {
  const text = identity.trim();
  if (text === '' || text.includes('\0') || Buffer.byteLength(text) > LIMITS.searchBytes)
    throw new DomainError('bad_request', expected('an address or a user id', 'the identity', identity));
  const address = emailIn(text);
  return address === undefined
    ? [handleOf.userId(text), handleOf.userId6(text)]
    : [handleOf.email(address), handleOf.email6(address)];
}

/** The same, and by everything that names keys. @throws DomainError `bad_request` */
export function byAnything(term: string): Search | string[] {
  const [first] = parseSearch(term, true);
  const named = first === undefined || first.kind === 'email' || first.kind === 'user_id';
  return named ? byIdentity(term) : first;
}

const noSuchKey = (): DomainError =>
  new DomainError('not_found', 'No matching keys found', { reason: 'key_not_found' });
