import { decodeArmors } from '../armor.js';
import { badKey, secretKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';

/** Old programs label keys as files (keystore contract §3.5). */
const ACCEPTED = new Set(['PUBLIC KEY BLOCK', 'ARMORED FILE']);
const LINE = 64;
/** Base64 in which a form encoding has made blanks of `+`: a line of a block, or its checksum. */
const DAMAGED = /^=?[A-Za-z0-9+/ ]+={0,2}$/;

/**
 * The binary content of every armor block in an uploaded text, whatever stands around them, with the repairs of keystore contract §3.5.
 * @throws DomainError `unprocessable` for other kinds of blocks, truncated ones, and text without any
 */
export function readArmor(text: string): Uint8Array[] {
  if (text.length > PACKET_LIMITS.uploadBytes * 2) throw badKey('The text is too long to be a key');
  const blocks = decodeArmors(text.split('\n').map(repairLine).join('\n'));
  if (blocks.length === 0) throw badKey('Expected a PGP PUBLIC KEY BLOCK, got none');
  return blocks.map(({ type, bytes }) => {
    if (type.startsWith('PRIVATE KEY')) throw secretKey();
    if (!ACCEPTED.has(type)) throw badKey(`Expected a PGP PUBLIC KEY BLOCK, got PGP ${type}`);
    return bytes;
  });
}

/**
 * In base64 a blank can only be a lost `+`. At the end of a line it may also be what a mailer added: lines are as long as whole groups of four
 * characters, which tells one from the other.
 */
function repairLine(raw: string): string {
  const line = raw.replace(/[\r\t]+$/, '');
  if (!line.includes(' ') || !DAMAGED.test(line)) return line;
  const trimmed = line.trimEnd();
  const content = line.startsWith('=') ? 1 : 0;
  const whole = (trimmed.length - content) % 4 === 0;
  return (whole ? trimmed : line).replaceAll(' ', '+');
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
