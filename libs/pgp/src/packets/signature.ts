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
  primaryUserId: 25,
  keyFlags: 27,
  revocationReason: 29,
  embedded: 32,
  issuerFingerprint: 33,
} as const;

/** Key flag: may sign data. */
const FLAG_SIGN = 0x02;

/** What a version 4 signature packet says, and its bytes with the unhashed area cut down to what may be kept (keystore contract §3.2). */
export interface SignatureFacts {
  readonly type: number;
  /** Unix seconds. */
  readonly created: number;
  /** Seconds after the creation of the key; 0: never. */
  readonly keyExpiration: number;
  /** Seconds after the creation of the signature; 0: never. */
  readonly signatureExpiration: number;
  readonly exportable: boolean;
  readonly primaryUserId: boolean;
  readonly maySign: boolean;
  readonly revocationReason: number | undefined;
  /** 16 hex digits, from the issuer or issuer-fingerprint subpacket, hashed or not: a hint only. */
  readonly issuer: string | undefined;
  /** The embedded back-signature of a signing subkey, wherever it stands. */
  readonly embedded: Uint8Array | undefined;
  /** The packet body to keep. */
  readonly body: Uint8Array;
  /** The part that the signer vouches for: equal for copies that differ only in the unhashed area. */
  readonly identity: string;
}

interface RawSubpacket {
  readonly type: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

/** Reads a version 4 signature body (RFC 9580 §5.2.3). @throws DomainError for other versions and broken bodies */
export function readSignature(body: Uint8Array): SignatureFacts {
  if (body.length > PACKET_LIMITS.signatureBytes)
    throw badKey(`Expected at most ${PACKET_LIMITS.signatureBytes} bytes in a signature, got ${body.length}`);
  const cursor = new Cursor(body);
  const version = cursor.number(1);
  if (version !== 4) throw badKey(`Signatures of version ${version} are not supported by this server`);
  const [type, algorithm, hash] = [cursor.number(1), cursor.number(1), cursor.number(1)];
  const hashedArea = cursor.take(cursor.number(2));
  const unhashedArea = cursor.take(cursor.number(2));
  const value = cursor.take(cursor.left);
  const hashed = readSubpackets(hashedArea);
  const kept = readSubpackets(unhashedArea).filter(
    ({ type: kind }) =>
      kind === Subpacket.issuer || kind === Subpacket.issuerFingerprint || kind === Subpacket.embedded,
  );
  const find = (wanted: number): Uint8Array | undefined => hashed.find((one) => one.type === wanted)?.content;
  const number = (wanted: number): number =>
    [...(find(wanted) ?? [])].reduce((value, byte) => value * 256 + byte, 0);
  const head = Buffer.concat([Buffer.from([4, type, algorithm, hash]), sized(hashedArea)]);
  const all = [...hashed, ...kept];
  return {
    type,
    created: number(Subpacket.created),
    keyExpiration: number(Subpacket.keyExpiration),
    signatureExpiration: number(Subpacket.signatureExpiration),
    exportable: find(Subpacket.exportable)?.[0] !== 0,
    primaryUserId: (find(Subpacket.primaryUserId)?.[0] ?? 0) !== 0,
    maySign: ((find(Subpacket.keyFlags)?.[0] ?? 0) & FLAG_SIGN) !== 0,
    revocationReason: find(Subpacket.revocationReason)?.[0],
    issuer: issuerOf(all),
    embedded: all.find((one) => one.type === Subpacket.embedded)?.content,
    body: Buffer.concat([head, sized(Buffer.concat(kept.map((one) => one.whole))), value]),
    identity: Buffer.concat([head, value]).toString('base64'),
  };
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
    const type = (area[at + lengthBytes] ?? 0) & 0x7f;
    subpackets.push({
      type,
      content: area.subarray(at + lengthBytes + 1, end),
      whole: area.subarray(at, end),
    });
    at = end;
  }
  return subpackets;
}
