import { Algorithm } from './algorithms.js';
import { bitsOf, type Cursor } from './cursor.js';
import { type Curve, curveOf } from './curves.js';
import { badKey } from './fault.js';
import { PACKET_LIMITS } from './limits.js';

/** The numbers of a public key: what is needed to verify with it, or to know that nobody can. */
export type Material =
  | { readonly kind: 'rsa'; readonly n: Uint8Array; readonly e: Uint8Array }
  | {
      readonly kind: 'dsa';
      readonly p: Uint8Array;
      readonly q: Uint8Array;
      readonly g: Uint8Array;
      readonly y: Uint8Array;
    }
  /** A point on a curve whose coordinates are both there; it signs or encrypts. */
  | { readonly kind: 'point'; readonly curve: Curve; readonly point: Uint8Array }
  | { readonly kind: 'ed25519' | 'ed448'; readonly point: Uint8Array }
  /** Encrypts only. */
  | { readonly kind: 'other' };

export interface ReadMaterial {
  readonly material: Material;
  /** Size as listings show it: modulus, prime or curve (keystore contract §1.7). */
  readonly bits: number;
}

/** Octets and bits of keys that are octets of a fixed length (RFC 9580 §5.5.5). */
const FIXED: Readonly<Record<number, { octets: number; bits: number; kind: 'ed25519' | 'ed448' | 'other' }>> =
  {
    [Algorithm.x25519]: { octets: 32, bits: 256, kind: 'other' },
    [Algorithm.x448]: { octets: 56, bits: 448, kind: 'other' },
    [Algorithm.ed25519]: { octets: 32, bits: 256, kind: 'ed25519' },
    [Algorithm.ed448]: { octets: 57, bits: 448, kind: 'ed448' },
  };

/**
 * Reads the algorithm-specific part of a key (RFC 9580 §5.5.5), to its last octet and in the one form that it may have.
 * @throws DomainError for algorithms and curves that cannot be verified here, other forms, and numbers that prove nothing or take long
 */
export function readMaterial(cursor: Cursor, algorithm: number, version: 4 | 6): ReadMaterial {
  const read = readNumbers(cursor, algorithm, version);
  if (cursor.left > 0) throw badKey('A key packet is longer than its key');
  return read;
}

function readNumbers(cursor: Cursor, algorithm: number, version: 4 | 6): ReadMaterial {
  const fixed = FIXED[algorithm];
  if (fixed !== undefined) {
    const point = cursor.take(fixed.octets);
    return {
      bits: fixed.bits,
      material: fixed.kind === 'other' ? { kind: 'other' } : { kind: fixed.kind, point },
    };
  }
  switch (algorithm) {
    case Algorithm.rsa:
    case Algorithm.rsaEncrypt:
    case Algorithm.rsaSign:
      return readRsa(cursor);
    case Algorithm.elgamal:
      return readElgamal(cursor);
    case Algorithm.dsa:
      return readDsa(cursor);
    case Algorithm.ecdh:
      return readEcdh(cursor, version);
    case Algorithm.ecdsa:
      return readPoint(cursor, 'sign');
    case Algorithm.eddsaLegacy:
      if (version === 6) throw badKey('Keys of version 6 have no EdDSA of the old form');
      return readPoint(cursor, 'sign', 'native');
    default:
      throw badKey(`Keys of algorithm ${algorithm} cannot be verified by this server`);
  }
}

function readRsa(cursor: Cursor): ReadMaterial {
  const n = cursor.exactMpi();
  const bits = bitsOf(n);
  if (bits < PACKET_LIMITS.leastBits)
    throw badKey(`Expected an RSA key of at least ${PACKET_LIMITS.leastBits} bits, got ${bits}`);
  const e = cursor.exactMpi(PACKET_LIMITS.rsaExponentBits);
  if (bitsOf(e) < 2) throw badKey('Expected an RSA key with an exponent above 1');
  if (!isOdd(n) || !isOdd(e)) throw badKey('Expected odd numbers in an RSA key');
  return { bits, material: { kind: 'rsa', n, e } };
}

/** Orders that the verifiers of the field take (FIPS 186-4 §4.2). */
const DSA_ORDERS: ReadonlySet<number> = new Set([160, 224, 256]);

function readDsa(cursor: Cursor): ReadMaterial {
  const { dsaBits, leastBits } = PACKET_LIMITS;
  const p = cursor.exactMpi(dsaBits);
  const bits = bitsOf(p);
  if (bits < leastBits) throw badKey(`Expected a DSA key of at least ${leastBits} bits, got ${bits}`);
  const q = cursor.exactMpi(256);
  if (!DSA_ORDERS.has(bitsOf(q))) throw badKey('Expected an order of 160, 224 or 256 bits in a DSA key');
  const [g, y] = [cursor.exactMpi(dsaBits), cursor.exactMpi(dsaBits)];
  if (!isOdd(p) || !isOdd(q) || !isWithin(g, p) || !isWithin(y, p))
    throw badKey('The numbers of a DSA key do not fit each other');
  return { bits, material: { kind: 'dsa', p, q, g, y } };
}

function readElgamal(cursor: Cursor): ReadMaterial {
  const [p, g, y] = [cursor.exactMpi(), cursor.exactMpi(), cursor.exactMpi()];
  if (!isOdd(p) || !isWithin(g, p) || !isWithin(y, p))
    throw badKey('The numbers of an Elgamal key do not fit each other');
  return { bits: bitsOf(p), material: { kind: 'other' } };
}

/** SHA-256, SHA-384, SHA-512; AES with its three lengths (RFC 9580 §11.5). */
const KDF_HASHES: ReadonlySet<number> = new Set([8, 9, 10]);
const KDF_CIPHERS: ReadonlySet<number> = new Set([7, 8, 9]);

function readEcdh(cursor: Cursor, version: 4 | 6): ReadMaterial {
  const read = readPoint(cursor, 'encrypt');
  if (version === 6 && read.material.kind === 'other')
    throw badKey('Keys of version 6 have no ECDH of the old form');
  const [length, reserved, hash, cipher] = cursor.take(4);
  if (length !== 3 || reserved !== 1 || !KDF_HASHES.has(hash ?? 0) || !KDF_CIPHERS.has(cipher ?? 0))
    throw badKey('The parameters of an ECDH key are not supported by this server');
  return read;
}

function readPoint(cursor: Cursor, use: 'sign' | 'encrypt', form?: Curve['form']): ReadMaterial {
  const curve = curveOf(cursor.take(cursor.number(1)));
  const fits = curve !== undefined && (curve.use === 'any' || curve.use === use);
  // EdDSA keys are on Ed25519 and on nothing else, ECDSA keys on everything but.
  if (!fits || (use === 'sign' && curve.form !== (form ?? 'coordinates')))
    throw badKey('Keys on this elliptic curve cannot be verified by this server');
  const point = cursor.exactMpi();
  const { bits } = curve;
  if (curve.form === 'native') {
    if (point[0] !== 0x40 || point.length !== 1 + curve.size) throw badPoint();
    const native = point.subarray(1);
    return { bits, material: use === 'sign' ? { kind: 'ed25519', point: native } : { kind: 'other' } };
  }
  if (point[0] !== 0x04 || point.length !== 1 + 2 * curve.size) throw badPoint();
  return { bits, material: { kind: 'point', curve, point } };
}

const badPoint = () => badKey('The point of a key on an elliptic curve is not written as it must be');

const isOdd = (number: Uint8Array): boolean => ((number.at(-1) ?? 0) & 1) === 1;

/** 1 < number < modulus, both without leading zeros. */
function isWithin(number: Uint8Array, modulus: Uint8Array): boolean {
  if (bitsOf(number) < 2) return false;
  if (number.length !== modulus.length) return number.length < modulus.length;
  return Buffer.compare(number, modulus) < 0;
}
