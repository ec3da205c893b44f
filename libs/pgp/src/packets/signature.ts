import { Cursor } from './cursor.js';
import { badKey } from './fault.js';
import { PACKET_LIMITS } from './limits.js';

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

const Subpacket = {
  created: 2,
  signatureExpiration: 3,
  exportable: 4,
  keyExpiration: 9,
  issuer: 16,
  notation: 20,
  primaryUserId: 25,
  keyFlags: 27,
  revocationReason: 29,
  embedded: 32,
  issuerFingerprint: 33,
} as const;

/** What a version 4 signature packet says (RFC 9580 §5.2.3). Nothing of it is verified. */
export interface SignatureFacts {
  readonly type: number;
  /** OpenPGP hash number. */
  readonly hash: number;
  /** Unix seconds. */
  readonly created: number;
  /** Seconds after the creation of the key; 0: never. */
  readonly keyExpiration: number;
  /** Seconds after the creation of the signature; 0: never. */
  readonly signatureExpiration: number;
  readonly exportable: boolean;
  readonly primaryUserId: boolean;
  /** The first octet of the key flags; undefined without them. */
  readonly keyFlags: number | undefined;
  readonly revocationReason: number | undefined;
  /** 16 hex digits, from the issuer or issuer-fingerprint subpacket, hashed or not: a hint only. */
  readonly issuer: string | undefined;
  /** Embedded signatures: those that the signer vouches for, and those that anybody may have put there. */
  readonly embedded: { readonly hashed: readonly Uint8Array[]; readonly unhashed: readonly Uint8Array[] };
  /** The packet body. */
  readonly body: Uint8Array;
  /** The part that the signer vouches for, signature included: equal for copies that differ only in the unhashed area. */
  readonly identity: string;
  /** The part that is signed: equal for every signature of one signer that says the same at the same time. */
  readonly claim: string;
}

interface RawSubpacket {
  readonly type: number;
  /** Whoever does not know it must refuse the signature. */
  readonly critical: boolean;
  readonly content: Uint8Array;
}

/** Reads a version 4 signature body. @throws DomainError for other versions and broken bodies */
export function readSignature(body: Uint8Array): SignatureFacts {
  const { head, hashed, unhashed, value } = takeApart(body);
  const find = (wanted: number): Uint8Array | undefined => hashed.find((one) => one.type === wanted)?.content;
  const created = numberIn(find(Subpacket.created));
  if (created === undefined) throw badKey('A signature does not say when it was made');
  const contents = (list: readonly RawSubpacket[]): Uint8Array[] =>
    list.filter(({ type }) => type === Subpacket.embedded).map(({ content }) => content);
  return {
    type: head[1] ?? 0,
    hash: head[3] ?? 0,
    created,
    keyExpiration: numberIn(find(Subpacket.keyExpiration)) ?? 0,
    signatureExpiration: numberIn(find(Subpacket.signatureExpiration)) ?? 0,
    exportable: find(Subpacket.exportable)?.[0] !== 0,
    primaryUserId: (find(Subpacket.primaryUserId)?.[0] ?? 0) !== 0,
    keyFlags: find(Subpacket.keyFlags)?.[0],
    revocationReason: find(Subpacket.revocationReason)?.[0],
    issuer: issuerOf([...hashed, ...unhashed]),
    embedded: { hashed: contents(hashed), unhashed: contents(unhashed) },
    body,
    identity: Buffer.concat([head, value]).toString('base64'),
    claim: head.toString('base64'),
  };
}

/**
 * The one form in which a signature is kept. Its unhashed area, and how its numbers are written, could be changed by anybody:
 * copies would pile up, and some of them would be refused by other programs. So it gets an unhashed area of ours: who made it,
 * for clients that know no other place for that, and a back-signature where one is needed (keystore contract §3.2).
 * @param keyId of the signer, 16 hex digits
 * @throws DomainError for broken bodies
 */
export function canonicalSignature(body: Uint8Array, keyId: string, backSignature?: Uint8Array): Buffer {
  const { head, hashed, value } = takeApart(body);
  const unhashed: Buffer[] = [];
  if (!hashed.some(({ type }) => type === Subpacket.issuer))
    unhashed.push(subpacket(Subpacket.issuer, Buffer.from(keyId, 'hex')));
  if (backSignature !== undefined) unhashed.push(subpacket(Subpacket.embedded, backSignature));
  return Buffer.concat([head, sized(Buffer.concat(unhashed)), value]);
}

/** What is needed to verify a signature in which nothing is out of the ordinary. */
export interface PlainSignature {
  readonly algorithm: number;
  readonly hash: number;
  /** From the version to the end of the hashed area: hashed after what is signed. */
  readonly head: Buffer;
  /** The left 16 bits of the hash. */
  readonly left: Buffer;
  /** Without leading zeros. */
  readonly numbers: readonly Uint8Array[];
}

/** Subpackets that decide nothing about the validity of a signature, or that our own rules look at (RFC 9580 §5.2.3.7). */
const PLAIN: ReadonlySet<number> = new Set([
  Subpacket.created,
  Subpacket.signatureExpiration,
  Subpacket.keyExpiration,
  11, // preferred ciphers
  Subpacket.issuer,
  21, // preferred hashes
  22, // preferred compression
  23, // key server preferences
  Subpacket.primaryUserId,
  Subpacket.keyFlags,
  30, // features
  Subpacket.issuerFingerprint,
]);

/**
 * Takes a signature apart for being verified.
 * @param keyId of the signer, 16 hex digits
 * @returns undefined when it has anything that could decide about its validity beside its numbers
 * @throws DomainError for broken bodies
 */
export function plainSignature(body: Uint8Array, keyId: string): PlainSignature | undefined {
  const { head, hashed, unhashed, value } = takeApart(body);
  const all = [...hashed, ...unhashed];
  const isPlain = ({ type, critical }: RawSubpacket): boolean =>
    PLAIN.has(type) || (type === Subpacket.notation && !critical);
  if (!all.every(isPlain)) return undefined;
  const said = all.flatMap((one) => {
    if (one.type === Subpacket.issuer) return [Buffer.from(one.content).toString('hex')];
    // The version of the key, and its fingerprint.
    const isWhole = one.content[0] === 4 && one.content.length === 21;
    if (one.type === Subpacket.issuerFingerprint) return [isWhole ? issuerOf([one]) : undefined];
    return [];
  });
  if (said.length === 0 || said.some((id) => id !== keyId)) return undefined;
  const cursor = new Cursor(value);
  const left = Buffer.from(cursor.take(2));
  const count = NUMBERS[head[2] ?? 0] ?? 0;
  const numbers = Array.from({ length: count }, () => cursor.mpi());
  return cursor.left > 0 ? undefined : { algorithm: head[2] ?? 0, hash: head[3] ?? 0, head, left, numbers };
}

interface SignatureParts {
  /** From the version to the end of the hashed area. */
  readonly head: Buffer;
  readonly hashed: readonly RawSubpacket[];
  readonly unhashed: readonly RawSubpacket[];
  /** The left 16 bits of the hash and the numbers, in their shortest form. */
  readonly value: Buffer;
}

function takeApart(body: Uint8Array): SignatureParts {
  if (body.length > PACKET_LIMITS.signatureBytes)
    throw badKey(`Expected at most ${PACKET_LIMITS.signatureBytes} bytes in a signature, got ${body.length}`);
  const cursor = new Cursor(body);
  const version = cursor.number(1);
  if (version !== 4) throw badKey(`Signatures of version ${version} are not supported by this server`);
  const [type, algorithm, hash] = [cursor.number(1), cursor.number(1), cursor.number(1)];
  const hashedArea = cursor.take(cursor.number(2));
  const unhashedArea = cursor.take(cursor.number(2));
  return {
    head: Buffer.concat([Buffer.from([version, type, algorithm, hash]), sized(hashedArea)]),
    hashed: readSubpackets(hashedArea),
    unhashed: readSubpackets(unhashedArea),
    value: Buffer.concat([cursor.take(2), ...readNumbers(cursor, algorithm)]),
  };
}

/** How many numbers a signature of an algorithm has. */
const NUMBERS: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 1, 17: 2, 19: 2, 22: 2 };

/** The numbers as their shortest form: leading zeros and a wrong count of bits change nothing for who verifies. */
function readNumbers(cursor: Cursor, algorithm: number): Uint8Array[] {
  const count = NUMBERS[algorithm];
  // Others have bytes of a fixed length, or are not verified by anybody here.
  if (count === undefined) return [cursor.take(cursor.left)];
  const numbers = Array.from({ length: count }, () => shortest(cursor.mpi()));
  if (cursor.left > 0) throw badKey('A signature is longer than its numbers');
  return numbers;
}

function shortest(number: Uint8Array): Buffer {
  const start = number.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? new Uint8Array() : number.subarray(start);
  const bits = digits.length === 0 ? 0 : digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24;
  return Buffer.concat([Buffer.from([bits >> 8, bits & 0xff]), digits]);
}

/** A number of four octets: times and time spans have no other form. */
function numberIn(content: Uint8Array | undefined): number | undefined {
  if (content === undefined) return undefined;
  if (content.length !== 4) throw badKey('A signature holds a broken time');
  return Buffer.from(content).readUInt32BE();
}

function subpacket(type: number, content: Uint8Array): Buffer {
  const length = content.length + 1;
  const header =
    length < 192
      ? [length]
      : [255, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from([...header, type]), content]);
}

const sized = (area: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([area.length >> 8, area.length & 0xff]), area]);

function issuerOf(subpackets: readonly RawSubpacket[]): string | undefined {
  const fingerprint = subpackets.find((one) => one.type === Subpacket.issuerFingerprint)?.content;
  const id = subpackets.find((one) => one.type === Subpacket.issuer)?.content;
  const hex = Buffer.from(fingerprint?.subarray(1) ?? id ?? []).toString('hex');
  return hex.length >= 16 ? hex.slice(-16) : undefined;
}

function readSubpackets(area: Uint8Array): RawSubpacket[] {
  const subpackets: RawSubpacket[] = [];
  for (let at = 0; at < area.length;) {
    const first = area[at] ?? 0;
    const lengthBytes = first < 192 ? 1 : first < 255 ? 2 : 5;
    const header = new Cursor(area.subarray(at)).take(lengthBytes);
    const length =
      lengthBytes === 1
        ? first
        : lengthBytes === 2
          ? ((first - 192) << 8) + (header[1] ?? 0) + 192
          : Buffer.from(header).readUInt32BE(1);
    const end = at + lengthBytes + length;
    if (length === 0 || end > area.length) throw badKey('A signature holds a broken subpacket');
    const octet = area[at + lengthBytes] ?? 0;
    const content = area.subarray(at + lengthBytes + 1, end);
    subpackets.push({ type: octet & 0x7f, critical: octet > 0x7f, content });
    at = end;
  }
  return subpackets;
}
