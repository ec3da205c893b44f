import { Algorithm, hashOf, hashUsed, SIGNING } from './algorithms.js';
import { Cursor } from './cursor.js';
import { badKey } from './fault.js';
import type { KeyFacts } from './key.js';
import { PACKET_LIMITS } from './limits.js';
import {
  checkHashed,
  isReadUnhashed,
  type RawSubpacket,
  readSubpackets,
  Subpacket,
  writeSubpacket,
} from './subpackets.js';

/** Signature types that belong to certificates (RFC 9580 §5.2.1). */
export const SignatureType = {
  certificationFirst: 0x10,
  certificationLast: 0x13,
  subkeyBinding: 0x18,
  primaryKeyBinding: 0x19,
  directKey: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
  certificationRevocation: 0x30,
} as const;

/** What a signature packet of version 4 or 6 says (RFC 9580 §5.2.3). Nothing of it is verified. */
export interface SignatureFacts {
  readonly version: 4 | 6;
  readonly type: number;
  /** OpenPGP algorithm and hash numbers. */
  readonly algorithm: number;
  readonly hash: number;
  /** Unix seconds. */
  readonly created: number;
  /** Seconds after the creation of the key; 0: never. */
  readonly keyExpiration: number;
  /** Seconds after the creation of the signature; 0: never. */
  readonly signatureExpiration: number;
  /** False: it is not meant for the public. */
  readonly exportable: boolean;
  readonly primaryUserId: boolean;
  /** The first octet of the key flags; undefined without them, 0 where they are empty. */
  readonly keyFlags: number | undefined;
  readonly revocationReason: number | undefined;
  /** Fingerprints (lower-case hex) of keys that may revoke this one. */
  readonly revokers: readonly string[];
  /**
   * Who made it: key ids of 16 and fingerprints of 40 or 64 lower-case hex digits. What the signer vouches for, or, where that says
   * nothing, what anybody may have put there: then it is a hint only.
   */
  readonly issuers: { readonly hashed: boolean; readonly names: readonly string[] };
  /** Embedded signatures: those that the signer vouches for, and those that anybody may have put there. */
  readonly embedded: { readonly hashed: readonly Uint8Array[]; readonly unhashed: readonly Uint8Array[] };
  /** The left 16 bits of the hash. */
  readonly left: Uint8Array;
  /** Hashed before everything else; empty in version 4. */
  readonly salt: Uint8Array;
  /** From the version to the end of the hashed area: hashed after what is signed. */
  readonly head: Buffer;
  /** What the signature consists of: numbers without leading zeros, or octets of a fixed length. */
  readonly numbers: readonly Uint8Array[];
  /** Everything that the signer vouches for, and the signature: equal for copies that differ only in what anybody can change. */
  readonly identity: string;
  /** The part that is signed: equal for every signature of one signer that says the same at the same time. */
  readonly claim: string;
}

/**
 * Reads a signature body of version 4 or 6.
 * @throws DomainError for other versions, for broken bodies, and for what would make programs of the field refuse the key
 */
export function readSignature(body: Uint8Array): SignatureFacts {
  const parts = takeApart(body);
  const { version, type, hashed, unhashed } = parts;
  checkHashed(parts);
  // Where something is said twice, the last one counts, as for the other programs of the field.
  const find = (wanted: number): Uint8Array | undefined =>
    hashed.findLast((one) => one.type === wanted)?.content;
  const created = numberIn(find(Subpacket.created));
  if (created === undefined) throw badKey('A signature does not say when it was made');
  const contents = (list: readonly RawSubpacket[]): Uint8Array[] =>
    list.filter((one) => one.type === Subpacket.embedded).map(({ content }) => content);
  const written = writeValue(parts);
  return {
    version,
    type,
    algorithm: parts.algorithm,
    hash: parts.hash,
    created,
    keyExpiration: numberIn(find(Subpacket.keyExpiration)) ?? 0,
    signatureExpiration: numberIn(find(Subpacket.signatureExpiration)) ?? 0,
    exportable: find(Subpacket.exportable)?.[0] !== 0 && !hashed.some(isConfidential),
    primaryUserId: (find(Subpacket.primaryUserId)?.[0] ?? 0) !== 0,
    keyFlags: flagsIn(hashed),
    revocationReason: find(Subpacket.revocationReason)?.[0],
    revokers: hashed.flatMap(revokerIn),
    issuers: issuersOf(hashed, unhashed),
    embedded: { hashed: contents(hashed), unhashed: contents(unhashed) },
    left: parts.left,
    salt: parts.salt,
    head: parts.head,
    numbers: parts.numbers,
    identity: Buffer.concat([parts.head, written]).toString('base64'),
    claim: parts.head.toString('base64'),
  };
}

/** Whether programs of the field read a signature with the unhashed area that it has, and not only without it. */
export function isReadAsItIs(body: Uint8Array): boolean {
  const parts = takeApart(body);
  return (
    SIGNING.has(parts.algorithm) && hashUsed(parts) !== undefined && parts.unhashed.every(isReadUnhashed)
  );
}

/** Whether a signature may be by this key, by what it says itself. One that says nothing may be. */
export function mayBeBy({ version, issuers }: SignatureFacts, key: KeyFacts): boolean {
  if (version !== key.version) return false;
  const { hashed, names } = issuers;
  const isKey = (name: string): boolean => name === key.keyId || name === key.fingerprint;
  // Beside a true name anybody may have put a wrong one where nothing is signed.
  return names.length === 0 || (hashed ? names.every(isKey) : names.some(isKey));
}

/**
 * The one form in which a signature is kept. Its unhashed area, and how its numbers are written, could be changed by anybody:
 * copies would pile up, and some of them would be refused by other programs. So it gets an unhashed area of ours: who made it,
 * for clients that know no other place for that, and a back-signature where one is needed (keystore contract §3.2).
 */
export function writeSignature(
  signature: SignatureFacts,
  signer: Pick<KeyFacts, 'version' | 'keyId' | 'fingerprint'>,
  backSignature?: Uint8Array,
): Buffer {
  const said = readSubpackets(signature.head.subarray(HEAD_BYTES[signature.version]));
  const [type, content] =
    signer.version === 4
      ? [Subpacket.issuer, Buffer.from(signer.keyId, 'hex')]
      : [Subpacket.issuerFingerprint, Buffer.from(`06${signer.fingerprint}`, 'hex')];
  const unhashed = said.some((one) => one.type === type) ? [] : [writeSubpacket(type, content)];
  if (backSignature !== undefined) unhashed.push(writeSubpacket(Subpacket.embedded, backSignature));
  const area = Buffer.concat(unhashed);
  return Buffer.concat([signature.head, sizeOf(signature.version, area), area, writeValue(signature)]);
}

/** Octets before the hashed area: version, type, algorithm, hash, length. */
const HEAD_BYTES = { 4: 6, 6: 8 } as const;

type Parts = Pick<
  SignatureFacts,
  'version' | 'type' | 'algorithm' | 'hash' | 'left' | 'salt' | 'head' | 'numbers'
> & {
  readonly hashed: readonly RawSubpacket[];
  readonly unhashed: readonly RawSubpacket[];
};

function takeApart(body: Uint8Array): Parts {
  if (body.length > PACKET_LIMITS.signatureBytes)
    throw badKey(`Expected at most ${PACKET_LIMITS.signatureBytes} bytes in a signature, got ${body.length}`);
  const cursor = new Cursor(body);
  const version = cursor.number(1);
  if (version !== 4 && version !== 6)
    throw badKey(`Signatures of version ${version} are not supported by this server`);
  const [type, algorithm, hash] = [cursor.number(1), cursor.number(1), cursor.number(1)];
  const sizeBytes = version === 4 ? 2 : 4;
  const hashedArea = cursor.take(cursor.number(sizeBytes));
  if (hashedArea.length > PACKET_LIMITS.hashedBytes)
    throw badKey(`Expected at most ${PACKET_LIMITS.hashedBytes} bytes in the hashed area of a signature`);
  const unhashedArea = cursor.take(cursor.number(sizeBytes));
  const left = cursor.take(2);
  return {
    version,
    type,
    algorithm,
    hash,
    head: Buffer.concat([Buffer.of(version, type, algorithm, hash), sizeOf(version, hashedArea), hashedArea]),
    hashed: readSubpackets(hashedArea),
    unhashed: readSubpackets(unhashedArea),
    left,
    salt: version === 6 ? readSalt(cursor, hash) : new Uint8Array(),
    numbers: readNumbers(cursor, algorithm),
  };
}

function readSalt(cursor: Cursor, hash: number): Uint8Array {
  const salt = cursor.take(cursor.number(1));
  if (salt.length !== hashOf(hash)?.salt)
    throw badKey('A signature has a salt of another length than its hash asks for');
  return salt;
}

/** How many numbers a signature of an algorithm has. */
const NUMBERS: Readonly<Record<number, number>> = {
  [Algorithm.rsa]: 1,
  [Algorithm.rsaSign]: 1,
  [Algorithm.dsa]: 2,
  [Algorithm.ecdsa]: 2,
  [Algorithm.eddsaLegacy]: 2,
};
/** Octets of signatures of a fixed length. */
const OCTETS: Readonly<Record<number, number>> = { [Algorithm.ed25519]: 64, [Algorithm.ed448]: 114 };

function readNumbers(cursor: Cursor, algorithm: number): Uint8Array[] {
  const count = NUMBERS[algorithm];
  const numbers =
    count === undefined
      ? [cursor.take(OCTETS[algorithm] ?? cursor.left)]
      : Array.from({ length: count }, () => withoutZeros(cursor.mpi()));
  if (cursor.left > 0) throw badKey('A signature is longer than its numbers');
  return numbers;
}

/** Everything after the unhashed area. Numbers are in their shortest form: anybody could write them in others. */
function writeValue({ version, algorithm, left, salt, numbers }: Omit<Parts, 'hashed' | 'unhashed'>): Buffer {
  const written = NUMBERS[algorithm] === undefined ? numbers : numbers.map(writeMpi);
  return Buffer.concat([left, ...(version === 6 ? [Buffer.of(salt.length), salt] : []), ...written]);
}

function withoutZeros(number: Uint8Array): Uint8Array {
  const start = number.findIndex((byte) => byte !== 0);
  return start < 0 ? new Uint8Array() : number.subarray(start);
}

/** @param digits without leading zeros */
function writeMpi(digits: Uint8Array): Buffer {
  const bits = digits.length === 0 ? 0 : digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24;
  return Buffer.concat([Buffer.of(bits >> 8, bits & 0xff), digits]);
}

function sizeOf(version: 4 | 6, area: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(area.length);
  return version === 4 ? size.subarray(2) : size;
}

/** All that any subpacket of flags says: of two some programs take the first, some the last, and some both. */
function flagsIn(hashed: readonly RawSubpacket[]): number | undefined {
  const flags = hashed.filter(({ type }) => type === Subpacket.keyFlags);
  return flags.length === 0 ? undefined : flags.reduce((all, { content }) => all | (content[0] ?? 0), 0);
}

/** A number of four octets: times and time spans have no other form. */
function numberIn(content: Uint8Array | undefined): number | undefined {
  if (content === undefined) return undefined;
  if (content.length !== 4) throw badKey('A signature holds a broken time');
  return Buffer.from(content).readUInt32BE();
}

function issuersOf(
  hashed: readonly RawSubpacket[],
  unhashed: readonly RawSubpacket[],
): SignatureFacts['issuers'] {
  const names = hashed.flatMap(issuerIn);
  return names.length > 0 ? { hashed: true, names } : { hashed: false, names: unhashed.flatMap(issuerIn) };
}

function issuerIn({ type, content }: RawSubpacket): string[] {
  if (type === Subpacket.issuer) return [hexOf(content)];
  if (type !== Subpacket.issuerFingerprint) return [];
  // The version of the key stands before its fingerprint. Of other versions it is nobody's here.
  const known = content[0] === 4 || content[0] === 6;
  return [`${known ? '' : 'other '}${hexOf(content.subarray(1))}`];
}

/** Class and algorithm stand before the fingerprint (RFC 9580 §5.2.3.23). */
function revokerIn({ type, content }: RawSubpacket): string[] {
  const isRevoker = type === Subpacket.revocationKey && ((content[0] ?? 0) & 0x80) !== 0;
  return isRevoker ? [hexOf(content.subarray(2))] : [];
}

/** Says who may revoke a key, and that the public is not to know (RFC 9580 §5.2.3.23). */
const isConfidential = ({ type, content }: RawSubpacket): boolean =>
  type === Subpacket.revocationKey && ((content[0] ?? 0) & 0x40) !== 0;

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
