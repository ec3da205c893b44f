import { createHash } from 'node:crypto';
import type { CertificateSummary } from '#libs/pgp';
import { LIMITS } from './limits.js';
import { wkdHash } from './wkd/hash.js';
import { addressOf, indexedWords } from './words.js';

/**
 * A way to find a certificate. `place` orders what one handle finds. By a key: certificates whose primary key matches come first,
 * then those that a signing subkey belongs to by its own word; a subkey that is only claimed may be somebody else's. By a text:
 * confirmed addresses first, then what is not revoked, the newest first.
 */
export interface Handle {
  readonly handle: string;
  readonly place: number;
}

const PRIMARY = 0;
const SIGNING_SUBKEY = 1;
const SUBKEY = 2;

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
  wkd: (hash: string, domain: string): string => `wkd/${hash}@${domain}`,
};

/**
 * Everything under which a certificate is found (keystore contract §1.5).
 * @param confirmed addresses in it, lower case, that belong to accounts who brought it (ADR 14)
 */
export function handlesOf(summary: CertificateSummary, confirmed: readonly string[] = []): Handle[] {
  const all = [...keyHandles(summary), ...textHandles(summary, new Set(confirmed))];
  // Of equal ones the first stays.
  return [...new Map(all.toReversed().map((one) => [one.handle, one])).values()];
}

export const isVersion6 = (fingerprint: string): boolean => fingerprint.length === 64;

function keyHandles({ fingerprint, subkeys }: CertificateSummary): Handle[] {
  return [
    { fingerprint, place: PRIMARY },
    ...subkeys.map((subkey) => ({
      fingerprint: subkey.fingerprint,
      place: subkey.signs ? SIGNING_SUBKEY : SUBKEY,
    })),
  ].flatMap(({ fingerprint: hex, place }) => [
    { handle: handleOf.fingerprint(hex), place },
    // Of version 6 the id is the first half, and nobody may ask by it (keystore contract §1.12).
    ...(isVersion6(hex)
      ? []
      : [
          { handle: handleOf.keyId(hex.slice(-16)), place },
          { handle: handleOf.shortKeyId(hex.slice(-8)), place },
        ]),
  ]);
}

function textHandles(
  { fingerprint, created, revoked, userIds }: CertificateSummary,
  confirmed: ReadonlySet<string>,
): Handle[] {
  const later = revoked ? 2 : 0;
  const placed = (handle: string, tier: number): Handle => ({
    handle,
    place: (tier + later) * TIER + (TIER - 1 - Math.min(created, TIER - 1)),
  });
  const version6 = isVersion6(fingerprint);
  const texts = userIds.flatMap(({ text, revoked: taken }) => {
    const address = addressOf(text);
    if (address === undefined)
      return text.includes('@') ? [] : [placed((version6 ? handleOf.userId6 : handleOf.userId)(text), 1)];
    const own = confirmed.has(address) && !taken;
    const directory = own ? wkdHash(address) : undefined;
    return [
      placed((version6 ? handleOf.email6 : handleOf.email)(address), own ? 0 : 1),
      ...(directory === undefined ? [] : [placed(handleOf.wkd(directory.hash, directory.domain), 0)]),
    ];
  });
  if (version6) return texts;
  const words = [...new Set(userIds.flatMap(({ text }) => indexedWords(text)))];
  const tier = userIds.some(({ text }) => confirmed.has(addressOf(text) ?? '')) ? 0 : 1;
  return [...texts, ...words.slice(0, LIMITS.indexedWords).map((word) => placed(handleOf.word(word), tier))];
}

/** User ids may be longer than what an index holds. */
const digestOf = (text: string): string =>
  createHash('sha256').update(text.trim().toLowerCase()).digest('base64url');
