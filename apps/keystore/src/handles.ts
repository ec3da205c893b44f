import type { CertificateSummary } from '#libs/pgp';
import { LIMITS } from './limits.js';
import { emailIn, wordsOf } from './words.js';

/**
 * A way to find a certificate. `place` orders what one handle finds: certificates whose primary key matches come first, then those
 * that a signing subkey belongs to by its own word; a subkey that is only claimed may be somebody else's.
 */
export interface Handle {
  readonly handle: string;
  readonly place: number;
}

const PRIMARY = 0;
const SIGNING_SUBKEY = 1;
const SUBKEY = 2;

/** Handles are told apart by their prefix, so that no search can reach those of another kind. */
export const handleOf = {
  fingerprint: (hex: string): string => `fingerprint/${hex}`,
  keyId: (hex: string): string => `id/${hex}`,
  shortKeyId: (hex: string): string => `short/${hex}`,
  email: (address: string): string => `email/${address}`,
  word: (word: string): string => `word/${word}`,
};

/** Everything under which a certificate is found (keystore contract §1.5). */
export function handlesOf(summary: CertificateSummary): Handle[] {
  const keys = [
    { fingerprint: summary.fingerprint, place: PRIMARY },
    ...summary.subkeys.map(({ fingerprint, signs }) => ({
      fingerprint,
      place: signs ? SIGNING_SUBKEY : SUBKEY,
    })),
  ].flatMap(({ fingerprint, place }) => [
    { handle: handleOf.fingerprint(fingerprint), place },
    { handle: handleOf.keyId(fingerprint.slice(-16)), place },
    { handle: handleOf.shortKeyId(fingerprint.slice(-8)), place },
  ]);
  const emails = summary.userIds.map(({ text }) => emailIn(text)).filter((address) => address !== undefined);
  const words = summary.userIds.flatMap(({ text }) => wordsOf(text)).slice(0, LIMITS.indexedWords);
  const texts = [
    ...emails.filter((address) => Buffer.byteLength(address) <= LIMITS.handleBytes).map(handleOf.email),
    ...words.map(handleOf.word),
  ].map((handle) => ({ handle, place: PRIMARY }));
  return [...new Map([...keys, ...texts].toReversed().map((one) => [one.handle, one])).values()];
}
