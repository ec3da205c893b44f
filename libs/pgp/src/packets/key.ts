import { createHash } from 'node:crypto';
import { Cursor } from './cursor.js';
import { badKey } from './fault.js';
import { PACKET_LIMITS } from './limits.js';

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
}

/** Bits by curve OID in hex, without its length octet. */
const CURVES: Readonly<Record<string, number>> = {
  '2a8648ce3d030107': 256,
  '2b81040022': 384,
  '2b81040023': 521,
  '2b8104000a': 256,
  '2b06010401da470f01': 256,
  '2b060104019755010501': 256,
  '2b2403030208010107': 256,
  '2b240303020801010b': 384,
  '2b240303020801010d': 512,
};
const FIXED: Readonly<Record<number, number>> = { 25: 256, 26: 448, 27: 256, 28: 448 };

/** Reads a version 4 public key or subkey body (RFC 9580 §5.5.2). @throws DomainError for other versions and broken bodies */
export function readKey(body: Uint8Array): KeyFacts {
  if (body.length > PACKET_LIMITS.packetBytes)
    throw badKey(`Expected at most ${PACKET_LIMITS.packetBytes} bytes in a key packet, got ${body.length}`);
  const cursor = new Cursor(body);
  const version = cursor.number(1);
  if (version !== 4)
    throw badKey(`Keys of version ${version} are not supported by this server, only version 4`);
  const created = cursor.number(4);
  const algorithm = cursor.number(1);
  const fingerprint = fingerprintOf(body);
  return {
    version,
    fingerprint,
    keyId: fingerprint.slice(-16),
    created,
    algorithm,
    bits: readBits(cursor, algorithm),
  };
}

/** @throws DomainError for numbers with which a signature would take long, or prove nothing */
function readBits(cursor: Cursor, algorithm: number): number {
  const { mpiBits, rsaExponentBits, rsaLeastBits, dsaBits, dsaOrderBits } = PACKET_LIMITS;
  const fixed = FIXED[algorithm];
  if (fixed !== undefined) return fixed;
  switch (algorithm) {
    case 1:
    case 2:
    case 3: {
      const bits = bitsOf(cursor.mpi());
      if (bits < rsaLeastBits)
        throw badKey(`Expected an RSA key of at least ${rsaLeastBits} bits, got ${bits}`);
      if (bitsOf(cursor.mpi(rsaExponentBits)) < 2)
        throw badKey('Expected an RSA key with an exponent above 1');
      return bits;
    }
    case 16:
      return readAll(cursor, [mpiBits, mpiBits, mpiBits]);
    case 17:
      return readAll(cursor, [dsaBits, dsaOrderBits, dsaBits, dsaBits]);
    case 18:
    case 19:
    case 22:
      return CURVES[Buffer.from(cursor.take(cursor.number(1))).toString('hex')] ?? 0;
    default:
      return 0;
  }
}

/** Numbers of at most so many bits; returns the size of the first. */
function readAll(cursor: Cursor, most: readonly number[]): number {
  return most.map((bits) => bitsOf(cursor.mpi(bits)))[0] ?? 0;
}

function bitsOf(number: Uint8Array): number {
  const start = number.findIndex((byte) => byte !== 0);
  return start < 0 ? 0 : (number.length - start) * 8 - Math.clz32(number[start] ?? 0) + 24;
}

/** SHA-1 over 0x99, the length in two octets, and the body (RFC 9580 §5.5.4.2). */
function fingerprintOf(body: Uint8Array): string {
  const prefix = Buffer.from([0x99, body.length >> 8, body.length & 0xff]);
  return createHash('sha1').update(prefix).update(body).digest('hex');
}
