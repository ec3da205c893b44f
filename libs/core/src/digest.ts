import { DomainError, expected } from './errors.js';

declare const brand: unique symbol;

/** `sha256.<64 lower-case hex>`: the form that library and builder use on the wire and in storage (library contract §4). */
export type Digest = string & { readonly [brand]: 'Digest' };

const DIGEST = /^sha256\.[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/**
 * Checks a digest that came from outside. Nothing but the exact form passes, so a digest is always safe as a file name.
 * @throws DomainError `bad_request` otherwise
 */
export function parseDigest(text: string): Digest {
  if (!isDigest(text))
    throw new DomainError('bad_request', expected('sha256.<64 hex digits>', 'a digest', text));
  return text;
}

/** A digest from the 64 hexadecimal digits of a SHA-256. @throws DomainError `bad_request` */
export function digestFromHex(hex: string): Digest {
  return parseDigest(`sha256.${hex.toLowerCase()}`);
}

/** The 64 hexadecimal digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256.'.length);
}
