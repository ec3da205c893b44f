import type { DomainError } from '#libs/core';
import { attempt } from '../certificate/attempt.js';
import type { Certificate } from '../certificate/components.js';
import { type RawCertificate, splitCertificates, tooManyKeys } from '../certificate/split.js';
import { badKey, secretKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import { readSignature, SignatureType } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import { armorBlocks, labelOf, type UploadBlock } from './armor.js';
import { type Scan, scanPackets } from './scan.js';

/** A revocation that came without the certificate. Nothing of it is verified. */
export interface LooseRevocation {
  readonly body: Uint8Array;
  /** Who says to have made it: key ids (16 lower-case hex digits) and fingerprints (40 or 64). */
  readonly issuers: readonly string[];
}

/** What an upload consists of; each part is taken or refused by itself. */
export interface Upload {
  readonly certificates: readonly RawCertificate[];
  readonly revocations: readonly LooseRevocation[];
  /** Why other parts are nothing that could be looked at. */
  readonly faults: readonly DomainError[];
}

/** What keys are sent in; old programs label them as files (keystore contract §3.5). */
const KEY_BLOCKS: ReadonlySet<string> = new Set(['PUBLIC KEY BLOCK', 'ARMORED FILE', 'SIGNATURE']);
const PRIVATE = Buffer.from('BEGIN PGP PRIVATE KEY');
const COLON_BEGIN = Buffer.from(':-----BEGIN PGP');
const BEGIN = Buffer.from('-----BEGIN PGP');
/** Names of who made a signature that are looked for: its key id and its fingerprint, and room for a mistake. */
const MOST_ISSUERS = 4;
/** First octets of a primary key packet, public or secret, in either format. */
const KEY_OCTETS: ReadonlySet<number> = new Set([0x94, 0x95, 0x96, 0x98, 0x99, 0x9a, 0xc5, 0xc6]);
const REVOCATIONS: ReadonlySet<number> = new Set([
  SignatureType.keyRevocation,
  SignatureType.subkeyRevocation,
  SignatureType.certificationRevocation,
]);

/**
 * Takes an upload apart: armored, with any number of blocks and text around them, or binary. Nothing is verified.
 * @param keys wiped when they are refused, so that nobody finds a secret key in the memory of the server
 * @throws DomainError `unprocessable` for secret keys, and when nothing is there; `too_large` for too much
 */
export function readUpload(keys: Uint8Array): Upload {
  const blocks: UploadBlock[] = [];
  try {
    if (keys.length > PACKET_LIMITS.uploadBytes)
      throw badKey(`Expected at most ${PACKET_LIMITS.uploadBytes} bytes of OpenPGP data, got ${keys.length}`);
    // However it is labelled, indented or cut off: nobody is to read later that it was only broken.
    if (Buffer.from(keys.buffer, keys.byteOffset, keys.length).includes(PRIVATE)) throw secretKey();
    blocks.push(...blocksOf(keys));
    return partsOf(blocks);
  } catch (error) {
    for (const bytes of [keys, ...blocks.map((block) => block.bytes)]) bytes.fill(0);
    throw error;
  }
}

const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf);

function blocksOf(keys: Uint8Array): UploadBlock[] {
  const all = Buffer.from(keys.buffer, keys.byteOffset, keys.length);
  const text = all.subarray(all.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0);
  if (KEY_OCTETS.has(text[0] ?? 0) || !text.includes(BEGIN))
    return [{ type: 'PUBLIC KEY BLOCK', bytes: text, fault: undefined }];
  const blocks = armorBlocks(text);
  if (blocks.length > 0) return blocks;
  if (text.includes(COLON_BEGIN))
    throw badKey(
      'This revocation is kept from being used by mistake. To revoke the key, remove the colon before -----BEGIN',
    );
  throw badKey('Expected a PGP PUBLIC KEY BLOCK, got none that begins at the beginning of a line');
}

interface Parts {
  readonly certificates: readonly RawCertificate[];
  readonly revocations: readonly LooseRevocation[];
  readonly fault: DomainError | undefined;
}

function partsOf(blocks: readonly UploadBlock[]): Upload {
  const parts: Parts[] = [];
  let left: number = PACKET_LIMITS.packets;
  for (const block of blocks) {
    const scan = scanPackets(block.bytes, left);
    left -= scan.packets.length;
    parts.push(partsIn(block, scan));
  }
  const certificates = parts.flatMap((one) => one.certificates);
  const revocations = parts.flatMap((one) => one.revocations);
  const faults = parts.flatMap(({ fault }) => fault ?? []);
  const count = certificates.length + revocations.length;
  if (count > PACKET_LIMITS.certificates) throw tooManyKeys(count);
  if (count === 0) throw faults[0] ?? nothing();
  return { certificates, revocations, faults };
}

function partsIn(block: UploadBlock, { packets, fault }: Scan): Parts {
  if (!KEY_BLOCKS.has(block.type))
    return refused(badKey(`Expected a PGP PUBLIC KEY BLOCK, got ${labelOf(block.type)}`));
  const first = packets.findIndex(({ tag }) => tag === Tag.publicKey);
  const certificates = first === -1 ? [] : splitCertificates(packets.slice(first));
  const wrong = block.fault ?? fault;
  // What is broken breaks the certificate that it is in; those before it are whole.
  if (wrong !== undefined) return { ...refused(wrong), certificates: certificates.slice(0, -1) };
  const revocations = looseIn(first === -1 ? packets : packets.slice(0, first));
  const isNothing = certificates.length + revocations.length === 0;
  return { certificates, revocations, fault: isNothing ? nothing() : undefined };
}

const refused = (fault: DomainError): Parts => ({ certificates: [], revocations: [], fault });
const nothing = (): DomainError =>
  badKey('Expected an OpenPGP public key or the revocation of one, got neither');

function looseIn(packets: readonly Packet[]): LooseRevocation[] {
  return packets.flatMap(({ tag, body }) => {
    const facts = tag === Tag.signature ? attempt(() => readSignature(body)) : undefined;
    if (facts === undefined || !REVOCATIONS.has(facts.type)) return [];
    return [{ body, issuers: facts.issuers.names.slice(0, MOST_ISSUERS) }];
  });
}

/** A revocation that came alone, as a part of the certificate that it may be of: to be cleaned with that as what is known. */
export function revocationFor({ primary }: Certificate, { body }: LooseRevocation): RawCertificate {
  return { primary, components: [], signatures: [{ body, behind: primary }] };
}
