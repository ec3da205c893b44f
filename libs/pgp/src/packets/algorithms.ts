/** Public-key algorithms by their OpenPGP numbers (RFC 9580 §9.1). */
export const Algorithm = {
  rsa: 1,
  rsaEncrypt: 2,
  rsaSign: 3,
  elgamal: 16,
  dsa: 17,
  ecdh: 18,
  ecdsa: 19,
  eddsaLegacy: 22,
  x25519: 25,
  x448: 26,
  ed25519: 27,
  ed448: 28,
} as const;

/** Those that sign, and can be verified here. */
export const SIGNING: ReadonlySet<number> = new Set([
  Algorithm.rsa,
  Algorithm.rsaSign,
  Algorithm.dsa,
  Algorithm.ecdsa,
  Algorithm.eddsaLegacy,
  Algorithm.ed25519,
  Algorithm.ed448,
]);

/** A hash: its name in Node, and the octets of salt that a version 6 signature with it has (RFC 9580 §9.5). */
export interface Hash {
  readonly name: string;
  readonly salt: number;
}

/** Hashes by their numbers. MD5 and RIPEMD-160 prove nothing any more, and stock clients read neither. */
const HASHES: Readonly<Record<number, Hash>> = {
  2: { name: 'sha1', salt: 0 },
  8: { name: 'sha256', salt: 16 },
  9: { name: 'sha384', salt: 24 },
  10: { name: 'sha512', salt: 32 },
  11: { name: 'sha224', salt: 16 },
  12: { name: 'sha3-256', salt: 16 },
  14: { name: 'sha3-512', salt: 32 },
};
export const SHA1 = 2;

export const hashOf = (number: number): Hash | undefined => HASHES[number];

/** The hash of a signature, if it proves anything: SHA-1 is taken where old keys have it, and new keys must not (RFC 9580 §9.5). */
export function hashUsed(signature: { readonly version: 4 | 6; readonly hash: number }): Hash | undefined {
  return signature.version === 6 && signature.hash === SHA1 ? undefined : hashOf(signature.hash);
}
