import { createHash } from 'node:crypto';
import { Cursor } from './cursor.js';
import { badKey } from './fault.js';
import { PACKET_LIMITS } from './limits.js';
import { type Material, readMaterial } from './material.js';

/** What a public key packet says about itself. */
export interface KeyFacts {
  readonly version: 4 | 6;
  /** 40 lower-case hex digits, 64 of version 6. */
  readonly fingerprint: string;
  /** The last 16 digits of the fingerprint, the first ones of version 6. */
  readonly keyId: string;
  /** Unix seconds. */
  readonly created: number;
  /** OpenPGP algorithm number. */
  readonly algorithm: number;
  /** Size as listings show it: modulus, prime or curve (keystore contract §1.7). */
  readonly bits: number;
  readonly material: Material;
}

/** Why keys of other versions are not taken (keystore contract §3.3). */
const REFUSED: Readonly<Record<number, string>> = {
  2: 'their fingerprints are MD5, and their key ids can be forged',
  3: 'their fingerprints are MD5, and their key ids can be forged',
  5: 'few programs read them, and gpg alone makes them',
};

/**
 * Reads a public key or subkey body of version 4 or 6 (RFC 9580 §5.5.2).
 * @throws DomainError for other versions, for algorithms that cannot be verified here, and for broken bodies
 */
export function readKey(body: Uint8Array): KeyFacts {
  if (body.length > PACKET_LIMITS.packetBytes)
    throw badKey(`Expected at most ${PACKET_LIMITS.packetBytes} bytes in a key packet, got ${body.length}`);
  const cursor = new Cursor(body);
  const version = cursor.number(1);
  if (version !== 4 && version !== 6) {
    const why = REFUSED[version];
    throw badKey(
      `Keys of version ${version} are not supported by this server${why === undefined ? '' : `: ${why}`}`,
    );
  }
  const created = cursor.number(4);
  const algorithm = cursor.number(1);
  if (version === 6 && cursor.number(4) !== cursor.left)
    throw badKey('A key packet does not have the length that it says');
  const fingerprint = fingerprintOf(version, body);
  return {
    version,
    fingerprint,
    keyId: version === 4 ? fingerprint.slice(-16) : fingerprint.slice(0, 16),
    created,
    algorithm,
    ...readMaterial(cursor, algorithm, version),
  };
}

/**
 * A key as it is hashed, for its fingerprint and for what is signed: an octet that tells the version, the length, the body
 * (RFC 9580 §5.5.4). The hash is SHA-1 for version 4, SHA-256 for version 6.
 */
export function keyData(version: 4 | 6, body: Uint8Array): Uint8Array[] {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return version === 4 ? [Buffer.of(0x99), length.subarray(2), body] : [Buffer.of(0x9b), length, body];
}

function fingerprintOf(version: 4 | 6, body: Uint8Array): string {
  const hash = createHash(version === 4 ? 'sha1' : 'sha256');
  for (const part of keyData(version, body)) hash.update(part);
  return hash.digest('hex');
}

/** Stock clients know exponents of so many octets. */
const KNOWN_EXPONENT_BYTES = 3;

/**
 * Whether stock clients read a key. They skip the packet of another one, and take the signatures behind it for those of what stands
 * before, which refuses the whole certificate (keystore contract §2.5).
 */
export const isReadEverywhere = ({ material }: KeyFacts): boolean =>
  material.kind !== 'rsa' || material.e.length <= KNOWN_EXPONENT_BYTES;
