import { fingerprintOf, type PgpKey } from './key.js';
import { pgpError } from './fault.js';

/**
 * How a person names a key: fingerprint (40 or 64 hex digits), key id (16 or 8), each with or without `0x` and blanks, or
 * a part of a user id.
 */
export type KeyQuery =
  | { readonly kind: 'fingerprint' | 'keyId' | 'shortId'; readonly hex: string }
  | { readonly kind: 'text'; readonly text: string };

const KINDS = new Map([
  [64, 'fingerprint'],
  [40, 'fingerprint'],
  [16, 'keyId'],
  [8, 'shortId'],
] as const);

/** What a query names. Hex digits of another number than 8, 16, 40 or 64 are text. */
export function parseKeyQuery(text: string): KeyQuery {
  const hex = text.replaceAll(' ', '').replace(/^0x/i, '').toUpperCase();
  const kind = /^[0-9A-F]+$/.test(hex) ? KINDS.get(hex.length as 8) : undefined;
  return kind === undefined ? { kind: 'text', text } : { kind, hex };
}

/** True when a key or one of its subkeys is what the query names. */
export function matchesKey(key: PgpKey, query: KeyQuery): boolean {
  if (query.kind === 'text') {
    const text = query.text.toLowerCase();
    return key.key.getUserIDs().some((id) => id.toLowerCase().includes(text));
  }
  return key.key.getKeys().some((part) => {
    const fingerprint = part.getFingerprint().toUpperCase();
    const keyId = part.getKeyID().toHex().toUpperCase();
    switch (query.kind) {
      case 'fingerprint':
        return fingerprint === query.hex;
      case 'keyId':
        return keyId === query.hex;
      case 'shortId':
        return keyId.endsWith(query.hex);
    }
    return false;
  });
}

/**
 * The one key that a query names.
 * @throws DomainError `pgp_key_not_found`, or `pgp_key_ambiguous` with the fingerprints to choose from: a short name
 * must never pick silently
 */
export function findKey(keys: readonly PgpKey[], text: string): PgpKey {
  const query = parseKeyQuery(text);
  const found = keys.filter((key) => matchesKey(key, query));
  const [first, second] = found;
  if (first === undefined) throw pgpError('pgp_key_not_found', `There is no key ${text} in the key ring`);
  if (second !== undefined)
    throw pgpError('pgp_key_ambiguous', `Several keys in the key ring match ${text}`, {
      remedy: `Name one of ${found.map(fingerprintOf).join(', ')}`,
    });
  return first;
}
