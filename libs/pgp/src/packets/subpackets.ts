import { Cursor } from './cursor.js';
import { badKey } from './fault.js';

/** Signature subpackets by their numbers (RFC 9580 §5.2.3.7). */
export const Subpacket = {
  created: 2,
  signatureExpiration: 3,
  exportable: 4,
  trust: 5,
  regularExpression: 6,
  revocable: 7,
  keyExpiration: 9,
  revocationKey: 12,
  issuer: 16,
  notation: 20,
  primaryUserId: 25,
  keyFlags: 27,
  revocationReason: 29,
  signatureTarget: 31,
  embedded: 32,
  issuerFingerprint: 33,
  intendedRecipient: 35,
  cipherSuites: 39,
} as const;

export interface RawSubpacket {
  readonly type: number;
  /** Whoever does not know it must refuse the signature. */
  readonly critical: boolean;
  readonly content: Uint8Array;
}

/** The subpackets of an area. @throws DomainError when they do not fill it exactly */
export function readSubpackets(area: Uint8Array): RawSubpacket[] {
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

/** A subpacket with its header. */
export function writeSubpacket(type: number, content: Uint8Array): Buffer {
  const length = content.length + 1;
  const header =
    length < 192
      ? [length]
      : [255, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from([...header, type]), content]);
}

/** Subpackets that all programs of the field understand, so that they may be critical. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  2, 3, 4, 5, 6, 9, 11, 16, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 35, 39,
]);
/** Those that may be critical where they are about the whole key: nobody who does not know them loses a user id or subkey. */
const OF_KEYS: ReadonlySet<number> = new Set([Subpacket.revocable, Subpacket.revocationKey]);

/** What the content of a subpacket must be like, where stock clients refuse the whole key otherwise. */
const FORMS: Readonly<Record<number, (content: Uint8Array) => boolean>> = {
  [Subpacket.created]: ({ length }) => length === 4,
  [Subpacket.signatureExpiration]: ({ length }) => length === 4,
  [Subpacket.exportable]: ({ length }) => length === 1,
  [Subpacket.trust]: ({ length }) => length === 2,
  [Subpacket.regularExpression]: (content) => content.at(-1) === 0,
  [Subpacket.keyExpiration]: ({ length }) => length === 4,
  [Subpacket.revocationKey]: ({ length }) => length === 22,
  [Subpacket.issuer]: ({ length }) => length === 8,
  [Subpacket.notation]: isNotation,
  [Subpacket.primaryUserId]: ({ length }) => length === 1,
  [Subpacket.revocationReason]: ({ length }) => length > 0,
  // It belongs to signatures about others, and not every program reads it.
  [Subpacket.signatureTarget]: () => false,
  [Subpacket.issuerFingerprint]: isFingerprint,
  [Subpacket.intendedRecipient]: isFingerprint,
  [Subpacket.cipherSuites]: ({ length }) => length % 2 === 0,
};

function isNotation(content: Uint8Array): boolean {
  if (content.length < 8) return false;
  const [name, value] = [Buffer.from(content).readUInt16BE(4), Buffer.from(content).readUInt16BE(6)];
  return content.length === 8 + name + value;
}

/** Version and fingerprint of a key. */
function isFingerprint({ length, 0: version = 0 }: Uint8Array): boolean {
  return length === (version >= 5 ? 33 : 21);
}

/** Of an unhashed area programs look at these, and refuse what is broken of them. */
export function isReadUnhashed({ type, content }: RawSubpacket): boolean {
  if (type === Subpacket.embedded) return false;
  return (
    (type !== Subpacket.issuer && type !== Subpacket.issuerFingerprint) || FORMS[type]?.(content) !== false
  );
}

/** A binding of a subkey is where a back-signature belongs. */
const SUBKEY_BINDING = 0x18;
const SUBKEY_REVOCATION = 0x28;
/** Direct-key signature and key revocation. */
const ABOUT_KEYS: ReadonlySet<number> = new Set([0x1f, 0x20]);

/**
 * Looks for what makes programs of the field refuse a signature, or the whole key with it (keystore contract §2.5).
 * @throws DomainError with what is wrong
 */
export function checkHashed(signature: {
  readonly version: 4 | 6;
  readonly type: number;
  readonly hashed: readonly RawSubpacket[];
}): void {
  const { version, type: signatureType, hashed } = signature;
  for (const { type, critical, content } of hashed) {
    const understood = UNDERSTOOD.has(type) || (OF_KEYS.has(type) && ABOUT_KEYS.has(signatureType));
    // There is no notation that everybody understands.
    if (critical && (!understood || type === Subpacket.notation))
      throw badKey(`A signature demands that everybody understands its subpacket of type ${type}`);
    if (FORMS[type]?.(content) === false)
      throw badKey(`A signature holds a broken subpacket of type ${type}`);
  }
  if (version === 6 && hashed.some(({ type }) => type === Subpacket.issuer))
    throw badKey('A signature of version 6 holds a key id');
  // Stock clients look for a back-signature then, and find none.
  if (signatureType === SUBKEY_REVOCATION && hashed.some(({ type }) => type === Subpacket.keyFlags))
    throw badKey('The revocation of a subkey says what the subkey may do');
  const embedded = hashed.filter(({ type }) => type === Subpacket.embedded).length;
  if (embedded > (signatureType === SUBKEY_BINDING ? 1 : 0))
    throw badKey('A signature holds another signature where none belongs');
}
