import type { CertificateSummary, SubkeySummary } from '#libs/pgp';
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

/** What of a summary decides how a certificate is found. */
interface Findable extends Pick<CertificateSummary, 'version' | 'fingerprint' | 'keyId' | 'userIds'> {
  readonly subkeys: readonly Pick<SubkeySummary, 'fingerprint' | 'keyId' | 'signs'>[];
}

/** Everything under which a certificate is found (keystore contract §1.5). */
export function handlesOf(summary: Findable): Handle[] {
  const keys = [
    { ...summary, place: PRIMARY },
    ...summary.subkeys.map((subkey) => ({ ...subkey, place: subkey.signs ? SIGNING_SUBKEY : SUBKEY })),
  ].flatMap(({ fingerprint, keyId, place }) => [
    { handle: handleOf.fingerprint(fingerprint), place },
    // Those of version 6 are asked for by their whole fingerprint, or not at all (contract §1.6, §1.12).
    ...(summary.version === 6
      ? []
      : [
          { handle: handleOf.keyId(keyId), place },
          { handle: handleOf.shortKeyId(keyId.slice(-8)), place },
        ]),
  ]);
  const emails = summary.userIds.map(({ text }) => emailIn(text)).filter((address) => address !== undefined);
  const words = summary.userIds.flatMap(({ text }) => wordsOf(text)).slice(0, LIMITS.indexedWords);
  const texts = [
    ...emails.filter((address) => Buffer.byteLength(address) <= LIMITS.handleBytes).map(handleOf.email),
    ...words.map(handleOf.word),
  ].map((handle) => ({ handle, place: PRIMARY }));
  return [...new Map([...keys, ...texts].toReversed().map((one) => [one.handle, one])).values()];
}
