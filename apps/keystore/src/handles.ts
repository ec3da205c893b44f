import { createHash } from 'node:crypto';
import type { CertificateSummary, SubkeySummary } from '#libs/pgp';
import { LIMITS } from './limits.js';
import { type WkdName, wkdName } from './wkd/name.js';
import { addressOf, indexedWords } from './words.js';

/**
 * A way to find a certificate. `place` orders what one handle finds. By a key: certificates whose primary key matches come first,
 * then those that a signing subkey belongs to by its own word; a subkey that is only claimed may be somebody else's. By a text:
 * confirmed ones first, revoked ones last, so that nobody is hidden behind many keys with the same address (contract §3.7);
 * of equal ones the newest first.
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

/** More than any time of creation, which has 32 bits. */
const TIER = 2 ** 32;

/** Handles are told apart by their prefix, so that no search can reach those of another kind. */
export const handleOf = {
  fingerprint: (hex: string): string => `fingerprint/${hex}`,
  keyId: (hex: string): string => `id/${hex}`,
  shortKeyId: (hex: string): string => `short/${hex}`,
  email: (address: string): string => `email/${address}`,
  /** A whole user id that names no address. */
  userId: (text: string): string => `user/${digestOf(text)}`,
  word: (word: string): string => `word/${word}`,
  /** Of certificates of version 6, which only HKP v2 may find: one of them makes gpg 2.4 drop a whole answer. */
  email6: (address: string): string => `email6/${address}`,
  userId6: (text: string): string => `user6/${digestOf(text)}`,
  /** A confirmed address, as Web Key Directories name it. */
  wkd: ({ hash, domain }: WkdName): string => `wkd/${hash}@${domain}`,
};

/** What of a summary decides how a certificate is found. */
interface Findable extends Pick<
  CertificateSummary,
  'version' | 'fingerprint' | 'keyId' | 'created' | 'revoked' | 'userIds'
> {
  readonly subkeys: readonly Pick<SubkeySummary, 'fingerprint' | 'keyId' | 'signs'>[];
}

/**
 * Everything under which a certificate is found (keystore contract §1.5).
 * @param confirmed addresses that an account confirms, lower case
 */
export function handlesOf(summary: Findable, confirmed: ReadonlySet<string> = new Set()): Handle[] {
  const all = [...keyHandles(summary), ...textHandles(summary, confirmed)];
  // Of equal ones the first stays, and texts are in the order of their places.
  return [...new Map(all.toReversed().map((one) => [one.handle, one])).values()];
}

function keyHandles({ version, fingerprint, keyId, subkeys }: Findable): Handle[] {
  return [
    { fingerprint, keyId, place: PRIMARY },
    ...subkeys.map((subkey) => ({ ...subkey, place: subkey.signs ? SIGNING_SUBKEY : SUBKEY })),
  ].flatMap(({ fingerprint: hex, keyId: id, place }) => [
    { handle: handleOf.fingerprint(hex), place },
    // Those of version 6 are asked for by their whole fingerprint, or not at all (contract §1.6, §1.12).
    ...(version === 6
      ? []
      : [
          { handle: handleOf.keyId(id), place },
          { handle: handleOf.shortKeyId(id.slice(-8)), place },
        ]),
  ]);
}

function textHandles(
  { version, created, revoked, userIds }: Findable,
  confirmed: ReadonlySet<string>,
): Handle[] {
  const placeOf = (tier: number): number => tier * TIER + TIER - 1 - Math.min(created, TIER - 1);
  const named = userIds.map(({ text, revoked: taken }) => {
    const address = addressOf(text);
    const own = address !== undefined && confirmed.has(address) ? CONFIRMED : UNCONFIRMED;
    return { text, address, tier: revoked || taken ? REVOKED : own };
  });
  const texts = named
    .toSorted((a, b) => a.tier - b.tier)
    .flatMap(({ text, address, tier }) => {
      const place = placeOf(tier);
      if (address === undefined)
        // One that names several addresses is found by its words alone.
        return text.includes('@')
          ? []
          : [{ handle: (version === 6 ? handleOf.userId6 : handleOf.userId)(text), place }];
      const email = { handle: (version === 6 ? handleOf.email6 : handleOf.email)(address), place };
      return tier === CONFIRMED ? [email, { handle: handleOf.wkd(wkdName(address)), place }] : [email];
    });
  if (version === 6) return texts;
  const place = placeOf(Math.min(REVOKED, ...named.map(({ tier }) => tier)));
  const words = [...new Set(userIds.flatMap(({ text }) => indexedWords(text)))].slice(0, LIMITS.indexedWords);
  return [...texts, ...words.map((word) => ({ handle: handleOf.word(word), place }))];
}

/** User ids may be longer than what an index holds. */
const digestOf = (text: string): string =>
  createHash('sha256').update(text.trim().toLowerCase()).digest('base64url');
