import { createHash } from 'node:crypto';
import { pgpError } from './fault.js';
import { PGP_LIMITS } from './limits.js';
import { readHeader } from './packets/reader.js';
import { Tag } from './packets/tags.js';

/** One packet where it lies in the bytes; nothing is copied. */
export interface PacketFrame {
  readonly tag: number;
  /** With its header. */
  readonly bytes: Uint8Array;
  readonly body: Uint8Array;
}

/**
 * Cuts bytes into packets of whatever type, secret ones too. Lengths are checked against what is there, so nothing is
 * allocated by a claimed length.
 * @throws DomainError for cut-off packets, and for partial and indeterminate lengths
 */
export function* packetsOf(bytes: Uint8Array): Generator<PacketFrame, void, void> {
  for (let at = 0; at < bytes.length;) {
    const { tag, start, end } = readHeader(bytes, at);
    if (end > bytes.length) throw malformed(`a packet ends at ${end}, the data at ${bytes.length}`);
    yield { tag, bytes: bytes.subarray(at, end), body: bytes.subarray(start, end) };
    at = end;
  }
}

const malformed = (why: string) => pgpError('pgp_malformed', `Expected OpenPGP keys: ${why}`);

/**
 * Cuts bytes into certificates: each begins with a primary key packet, public or secret, and holds everything up to the
 * next. The bytes of a certificate are exactly those that came in.
 * @throws DomainError `pgp_malformed`, `pgp_too_large`
 */
export function certificatesIn(bytes: Uint8Array, most: number = PGP_LIMITS.certificates): Uint8Array[] {
  const certificates: Uint8Array[] = [];
  let start = 0;
  let end = 0;
  let packets = 0;
  for (const frame of packetsOf(bytes)) {
    const isPrimary = frame.tag === Tag.publicKey || frame.tag === Tag.secretKey;
    if (isPrimary && packets > 0) {
      certificates.push(bytes.subarray(start, end));
      start = end;
      packets = 0;
    }
    if (!isPrimary && packets === 0) throw malformed('they do not begin with a key packet');
    packets += 1;
    if (packets > PGP_LIMITS.certificatePackets)
      throw pgpError('pgp_too_large', `Expected at most ${PGP_LIMITS.certificatePackets} packets in a key`);
    if (certificates.length >= most) throw pgpError('pgp_too_large', `Expected at most ${most} keys at once`);
    end += frame.bytes.length;
  }
  if (packets > 0) certificates.push(bytes.subarray(start, end));
  return certificates;
}

/**
 * Key ids of the public keys in a certificate, 16 upper-case hex digits each, primary first: enough to find the right
 * one in a large ring without parsing all.
 */
export function publicKeyIds(certificate: Uint8Array): string[] {
  return [...publicKeyFingerprints(certificate)].map((fingerprint) =>
    fingerprint.length === 40 ? fingerprint.slice(-16) : fingerprint.slice(0, 16),
  );
}

/**
 * Fingerprints of the public keys in a certificate, upper-case hex, primary first; keys of other versions than 4 and 6 are left out.
 * @throws DomainError `pgp_malformed`, when the packet that is looked at is broken
 */
export function* publicKeyFingerprints(certificate: Uint8Array): Generator<string, void, void> {
  for (const { tag, body } of packetsOf(certificate)) {
    if (tag !== Tag.publicKey && tag !== Tag.publicSubkey) continue;
    const fingerprint = fingerprintOf(body);
    if (fingerprint !== undefined) yield fingerprint;
  }
}

/** Fingerprint of a public key body, upper-case hex: SHA-1 for version 4, SHA-256 for version 6, none for others. */
function fingerprintOf(body: Uint8Array): string | undefined {
  const version = body[0];
  if (version !== 4 && version !== 6) return undefined;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const head = version === 4 ? [Buffer.of(0x99), length.subarray(2)] : [Buffer.of(0x9b), length];
  const hash = createHash(version === 4 ? 'sha1' : 'sha256');
  return hash
    .update(Buffer.concat([...head, body]))
    .digest('hex')
    .toUpperCase();
}
