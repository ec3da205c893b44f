import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { hashOf } from '../packets/algorithms.js';
import { type KeyFacts, keyData, readKey } from '../packets/key.js';
import { type Packet, writePacket } from '../packets/reader.js';
import { writeSubpacket } from '../packets/subpackets.js';
import { Tag } from '../packets/tags.js';

/*
 * Keys and signatures octet by octet, without any library: of every algorithm and version, and whatever somebody could send.
 */

/** When keys are made: long ago by every clock. */
export const CREATED = Date.parse('2020-01-01T00:00:00Z') / 1000;

export const uint = (value: number, bytes: number): Buffer =>
  Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex');

/** A number as it must be written. */
export function mpi(number: Uint8Array): Buffer {
  const start = number.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Buffer.alloc(0) : number.subarray(start);
  const bits = digits.length === 0 ? 0 : digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24;
  return Buffer.concat([uint(bits, 2), digits]);
}

const ELLIPTIC = {
  nistP256: ['P-256', '2a8648ce3d030107', 32],
  nistP384: ['P-384', '2b81040022', 48],
  nistP521: ['P-521', '2b81040023', 66],
  secp256k1: ['secp256k1', '2b8104000a', 32],
  brainpoolP256r1: ['brainpoolP256r1', '2b2403030208010107', 32],
  brainpoolP384r1: ['brainpoolP384r1', '2b240303020801010b', 48],
  brainpoolP512r1: ['brainpoolP512r1', '2b240303020801010d', 64],
} as const;

export type CurveName = keyof typeof ELLIPTIC;
export const CURVE_NAMES = Object.keys(ELLIPTIC) as CurveName[];
export type Kind =
  'rsa1024' | 'rsa2048' | 'dsa1024' | 'dsa2048' | 'ed25519Legacy' | 'ed25519' | 'ed448' | CurveName;

/** A key pair: the public packet, and what signs with it. */
export interface MadeKey {
  readonly facts: KeyFacts;
  readonly body: Buffer;
  /** The octets behind the left 16 bits of the hash: numbers or a fixed length. */
  readonly signed: (hash: string, data: Buffer) => Buffer;
}

interface Numbers {
  readonly algorithm: number;
  readonly material: Buffer;
  readonly signed: MadeKey['signed'];
}

export interface KeyOptions {
  readonly version?: 4 | 6;
  /** Unix seconds. */
  readonly created?: number;
}

export function makeKey(kind: Kind, { version = 4, created = CREATED }: KeyOptions = {}): MadeKey {
  const { algorithm, material, signed } = numbersOf(kind);
  const length = version === 6 ? uint(material.length, 4) : Buffer.alloc(0);
  const body = Buffer.concat([Buffer.of(version), uint(created, 4), Buffer.of(algorithm), length, material]);
  return { facts: readKey(body), body, signed };
}

function numbersOf(kind: Kind): Numbers {
  if (kind === 'rsa1024' || kind === 'rsa2048') return rsa(Number(kind.slice(3)));
  if (kind === 'dsa1024') return dsa(1024, 160);
  if (kind === 'dsa2048') return dsa(2048, 256);
  if (kind === 'ed25519Legacy' || kind === 'ed25519' || kind === 'ed448') return edwards(kind);
  const [namedCurve, oid, size] = ELLIPTIC[kind];
  return elliptic(namedCurve, oid, size);
}

const fromUrl = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');

function rsa(modulusLength: number): Numbers {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const { n, e } = publicKey.export({ format: 'jwk' });
  return {
    algorithm: 1,
    material: Buffer.concat([mpi(fromUrl(n)), mpi(fromUrl(e))]),
    signed: (hash, data) => mpi(sign(hash, data, privateKey)),
  };
}

function dsa(modulusLength: number, divisorLength: number): Numbers {
  const { publicKey, privateKey } = generateKeyPairSync('dsa', { modulusLength, divisorLength });
  const [p, q, g, y] = integersIn(publicKey.export({ format: 'der', type: 'spki' }));
  return {
    algorithm: 17,
    material: Buffer.concat([p, q, g, y].map((number) => mpi(number ?? Buffer.alloc(0)))),
    signed: (hash, data) => twoNumbers(sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
  };
}

/** The integers of a structure in DER, in their order, those inside of octets of bits too. */
function integersIn(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1] ?? 0;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
    const content = bytes.subarray(at + 2 + lengthBytes, at + 2 + lengthBytes + length);
    if (tag === 0x02) found.push(content);
    if (tag === 0x30) found.push(...integersIn(content));
    if (tag === 0x03) found.push(...integersIn(content.subarray(1)));
    at += 2 + lengthBytes + length;
  }
  return found;
}

function elliptic(namedCurve: string, oid: string, size: number): Numbers {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-2 * size - 1);
  return {
    algorithm: 19,
    material: Buffer.concat([uint(oid.length / 2, 1), Buffer.from(oid, 'hex'), mpi(point)]),
    signed: (hash, data) => twoNumbers(sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
  };
}

const twoNumbers = (value: Buffer): Buffer =>
  Buffer.concat([mpi(value.subarray(0, value.length / 2)), mpi(value.subarray(value.length / 2))]);

function edwards(kind: 'ed25519Legacy' | 'ed25519' | 'ed448'): Numbers {
  const { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject } =
    kind === 'ed448' ? generateKeyPairSync('ed448') : generateKeyPairSync('ed25519');
  const point = fromUrl(publicKey.export({ format: 'jwk' }).x);
  const signed = (hash: string, data: Buffer): Buffer =>
    sign(null, createHash(hash).update(data).digest(), privateKey);
  if (kind !== 'ed25519Legacy') return { algorithm: kind === 'ed448' ? 28 : 27, material: point, signed };
  const oid = Buffer.from('2b06010401da470f01', 'hex');
  return {
    algorithm: 22,
    material: Buffer.concat([Buffer.of(oid.length), oid, mpi(Buffer.concat([Buffer.of(0x40), point]))]),
    signed: (hash, data) => twoNumbers(signed(hash, data)),
  };
}

/** A subkey for encryption that nobody has the secret part of: Curve25519 in version 4, X25519 in version 6. */
export function makeEncryptionKey({ version = 4, created = CREATED }: KeyOptions = {}): Buffer {
  const oid = Buffer.from('2b060104019755010501', 'hex');
  const point = mpi(Buffer.concat([Buffer.of(0x40), randomBytes(32)]));
  if (version === 6)
    return Buffer.concat([Buffer.of(6), uint(created, 4), Buffer.of(25), uint(32, 4), randomBytes(32)]);
  return Buffer.concat([
    Buffer.of(4),
    uint(created, 4),
    Buffer.of(18, oid.length),
    oid,
    point,
    Buffer.of(3, 1, 8, 7),
  ]);
}

/** Type, content, and whether it is critical. */
export type MadeSubpacket = readonly [type: number, content: Uint8Array, critical?: boolean];

export interface SignatureOptions {
  readonly signer: MadeKey;
  readonly type: number;
  readonly primary: Uint8Array;
  /** A user id as text, or a subkey. */
  readonly userId?: Uint8Array;
  readonly subkey?: Uint8Array;
  readonly hashed?: readonly MadeSubpacket[];
  readonly unhashed?: readonly MadeSubpacket[];
  /** Unix seconds; null: it does not say when. */
  readonly created?: number | null;
  /** OpenPGP number; SHA-256 by default. */
  readonly hash?: number;
  /** Left out: who made it. */
  readonly anonymous?: boolean;
}

/** The body of a signature that is good. */
export function makeSignature(options: SignatureOptions): Buffer {
  const { signer, type, primary, userId, subkey, hash = 8, created = CREATED } = options;
  const { version, fingerprint } = signer.facts;
  const issuer: MadeSubpacket = [33, Buffer.from(`0${version}${fingerprint}`, 'hex')];
  const hashed = area([
    ...(created === null ? [] : [[2, uint(created, 4)] as const]),
    ...(options.anonymous === true ? [] : [issuer]),
    ...(options.hashed ?? []),
  ]);
  const unhashed = area(options.unhashed ?? []);
  const size = version === 4 ? 2 : 4;
  const { algorithm } = signer.facts;
  const head = Buffer.concat([Buffer.of(version, type, algorithm, hash), uint(hashed.length, size), hashed]);
  const { name, salt: saltBytes } = hashOf(hash) ?? { name: hash === 1 ? 'md5' : 'ripemd160', salt: 0 };
  const salt = version === 6 ? randomBytes(saltBytes) : Buffer.alloc(0);
  const data = Buffer.concat([
    salt,
    ...keyData(version, primary),
    ...(userId === undefined ? [] : [Buffer.of(0xb4), uint(userId.length, 4), userId]),
    ...(subkey === undefined ? [] : keyData(version, subkey)),
    head,
    Buffer.of(version, 0xff),
    uint(head.length, 4),
  ]);
  return Buffer.concat([
    head,
    uint(unhashed.length, size),
    unhashed,
    createHash(name).update(data).digest().subarray(0, 2),
    ...(version === 6 ? [Buffer.of(salt.length), salt] : []),
    signer.signed(name, data),
  ]);
}

const area = (subpackets: readonly MadeSubpacket[]): Buffer =>
  Buffer.concat(
    subpackets.map(([type, content, critical]) =>
      writeSubpacket(critical === true ? type | 0x80 : type, content),
    ),
  );

/** Makes the parts of one certificate. */
export class Owner {
  readonly key: MadeKey;
  readonly primary: Packet;

  constructor(kind: Kind = 'ed25519Legacy', options: KeyOptions = {}) {
    this.key = makeKey(kind, options);
    this.primary = { tag: Tag.publicKey, body: this.key.body };
  }

  /** A signature packet by the primary key. */
  sign(type: number, options: Partial<SignatureOptions> = {}): Packet {
    const body = makeSignature({ signer: this.key, primary: this.key.body, type, ...options });
    return { tag: Tag.signature, body };
  }

  /** A user id with a certification, or another signature over it. */
  userId(
    text: string | Uint8Array,
    options: Partial<SignatureOptions> & { readonly type?: number } = {},
  ): Packet[] {
    const userId = Buffer.from(text);
    return [{ tag: Tag.userId, body: userId }, this.sign(options.type ?? 0x13, { ...options, userId })];
  }

  /** A subkey that signs, with its binding and its word. */
  signingSubkey(subkey: MadeKey, options: Partial<SignatureOptions> = {}): Packet[] {
    return this.boundSubkey(subkey.body, {
      ...options,
      hashed: [[27, Buffer.of(0x02)], ...(options.hashed ?? [])],
      unhashed: [[32, this.wordOf(subkey, options)], ...(options.unhashed ?? [])],
    });
  }

  /** What a subkey says about belonging here. */
  wordOf(subkey: MadeKey, { created = CREATED, hash = 8 }: Partial<SignatureOptions> = {}): Buffer {
    return makeSignature({
      signer: subkey,
      type: 0x19,
      primary: this.key.body,
      subkey: subkey.body,
      created,
      hash,
    });
  }

  /** A subkey that encrypts, with its binding. */
  encryptionSubkey(options: Partial<SignatureOptions> = {}): Packet[] {
    const { version } = this.key.facts;
    return this.boundSubkey(makeEncryptionKey({ version }), {
      ...options,
      hashed: [[27, Buffer.of(0x0c)], ...(options.hashed ?? [])],
    });
  }

  /** A subkey with a binding. */
  boundSubkey(subkey: Uint8Array, options: Partial<SignatureOptions> = {}): Packet[] {
    return [{ tag: Tag.publicSubkey, body: subkey }, this.sign(0x18, { ...options, subkey })];
  }
}

/** Packets as they are sent. */
export const bytesOf = (packets: readonly Packet[]): Buffer => Buffer.concat(packets.map(writePacket));
