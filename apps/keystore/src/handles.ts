import type { CertificateSummary, SubkeySummary } from '#libs/pgp';
import { LIMITS } from './limits.js';
import { emailIn, wordsOf } from './words.js';

/**
 * A way to find a certificate. `place` orders what one handle finds. By keys: certificates whose primary key matches come first, then
 * those that a signing subkey belongs to by its own word; a subkey that is only claimed may be somebody else's. By addresses and words:
 * confirmed ones first, revoked ones last, so that nobody is hidden behind many keys with the same address (keystore contract §3.7).
 */
export interface Handle {
  readonly handle: string;
  readonly place: number;
}

const PRIMARY = 0;
const SIGNING_SUBKEY = 1;
const SUBKEY = 2;

const CONFIRMED = 0;
const UNCONFIRMED = 1;
const REVOKED = 2;

/** Handles are told apart by their prefix, so that no search can reach those of another kind. */
export const handleOf = {
  fingerprint: (hex: string): string => `fingerprint/${hex}`,
  keyId: (hex: string): string => `id/${hex}`,
  shortKeyId: (hex: string): string => `short/${hex}`,
  email: (address: string): string => `email/${address}`,
  word: (word: string): string => `word/${word}`,
};

/** What of a summary decides how a certificate is found. */
interface Findable extends Pick<
  CertificateSummary,
  'version' | 'fingerprint' | 'keyId' | 'revoked' | 'userIds'
> {
  readonly subkeys: readonly Pick<SubkeySummary, 'fingerprint' | 'keyId' | 'signs'>[];
}

/**
 * Everything under which a certificate is found (keystore contract §1.5).
 * @param confirmed addresses that an account confirms
 */
export function handlesOf(summary: Findable, confirmed: ReadonlySet<string> = new Set()): Handle[] {
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
  const userIds = summary.userIds.map(({ text, revoked }) => {
    const address = emailIn(text);
    const own = address !== undefined && confirmed.has(address) ? CONFIRMED : UNCONFIRMED;
    return { text, address, place: summary.revoked || revoked ? REVOKED : own };
  });
  const emails = userIds.flatMap(({ address, place }) =>
    address === undefined || Buffer.byteLength(address) > LIMITS.handleBytes
      ? []
      : [{ handle: handleOf.email(address), place }],
  );
  const best = Math.min(REVOKED, ...userIds.map(({ place }) => place));
  const words = userIds
    .flatMap(({ text }) => wordsOf(text))
    .slice(0, LIMITS.indexedWords)
    .map((word) => ({ handle: handleOf.word(word), place: best }));
  // The first of several that are the same stays: the best one.
  const all = [...keys, ...emails.toSorted((a, b) => a.place - b.place), ...words];
  return [...new Map(all.toReversed().map((one) => [one.handle, one])).values()];
}
