import { decodeArmors, encodeArmor } from '../armor.js';
import { badKey, secretKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';

/** Old programs label keys as files (keystore contract §3.5). */
const ACCEPTED = new Set(['PUBLIC KEY BLOCK', 'ARMORED FILE']);
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

/** One armor block with a checksum and LF line ends, the last line ended (keystore contract §1.6). */
export function writeArmor(bytes: Uint8Array): string {
  return `${encodeArmor('PUBLIC KEY BLOCK', bytes)}\n`;
}

/** One armor block that holds the content of several. */
export function joinArmor(armors: readonly string[]): string {
  return writeArmor(Buffer.concat(armors.flatMap((armor) => readArmor(armor))));
}
