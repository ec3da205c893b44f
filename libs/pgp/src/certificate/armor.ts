import { badKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';

const BEGIN = /^-----BEGIN PGP ([A-Z ]+)-----$/;
const END = /^-----END PGP /;
const ACCEPTED = new Set(['PUBLIC KEY BLOCK', 'ARMORED FILE']);
const LINE = 64;

/**
 * The binary content of every armor block in a text, whatever stands around them, with the repairs of keystore contract §3.5: CR LF, trailing
 * blanks, a missing blank line, a missing or wrong checksum, and blanks that a form encoding made of `+`.
 * @throws DomainError `unprocessable` for other kinds of blocks, truncated ones, and text without any
 */
export function readArmor(text: string): Uint8Array[] {
  if (text.length > PACKET_LIMITS.uploadBytes * 2) throw badKey('The text is too long to be a key');
  const blocks: Uint8Array[] = [];
  let lines: string[] | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.replace(/[\r\t ]+$/, '');
    const kind = BEGIN.exec(line)?.[1];
    if (kind !== undefined) {
      if (kind.startsWith('PRIVATE KEY'))
        throw badKey(
          'This is a secret key. It was not stored. It has left your machine: consider revoking it, and upload the public key',
        );
      if (!ACCEPTED.has(kind)) throw badKey(`Expected a PGP PUBLIC KEY BLOCK, got PGP ${kind}`);
      lines = [];
    } else if (END.test(line)) {
      if (lines !== undefined) blocks.push(decode(lines));
      lines = undefined;
    } else lines?.push(line);
  }
  if (lines !== undefined) throw badKey('The key block has no END line: it was cut off');
  if (blocks.length === 0) throw badKey('Expected a PGP PUBLIC KEY BLOCK, got none');
  return blocks;
}

function decode(lines: readonly string[]): Uint8Array {
  const body = lines
    .filter((line) => !/^[A-Za-z][A-Za-z0-9-]*: /.test(line) && !line.startsWith('='))
    .join('\n');
  const base64 = body.replaceAll('\n', '').replaceAll(' ', '+');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    throw badKey('The key block holds characters that are no base64');
  return Buffer.from(base64, 'base64');
}

/** One armor block with a checksum and LF line ends (RFC 9580 §6; keystore contract §1.6). */
export function writeArmor(bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes).toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  const checksum = crc24(bytes);
  const check = Buffer.from([checksum >> 16, (checksum >> 8) & 0xff, checksum & 0xff]).toString('base64');
  return `-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n${lines.join('\n')}\n=${check}\n-----END PGP PUBLIC KEY BLOCK-----\n`;
}

/** The checksum of armored data as a number of 24 bits (RFC 9580 §6.1.1). */
export function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : 0x1864cfb);
  }
  return crc & 0xffffff;
}

/** One armor block that holds the content of several. */
export function joinArmor(armors: readonly string[]): string {
  return writeArmor(Buffer.concat(armors.flatMap((armor) => readArmor(armor))));
}
