import { decodeArmors, encodeArmor } from '../armor.js';
import { badKey } from '../packets/fault.js';

/**
 * The binary content of every armor block in a text of ours: what {@link writeArmor} has written. What others send, `readUpload` reads.
 * @throws DomainError `unprocessable` for other kinds of blocks, truncated ones, and text without any
 */
export function readArmor(text: string): Uint8Array[] {
  const blocks = decodeArmors(text);
  if (blocks.length === 0) throw badKey('Expected a PGP PUBLIC KEY BLOCK, got none');
  return blocks.map(({ type, bytes }) => {
    if (type !== 'PUBLIC KEY BLOCK') throw badKey(`Expected a PGP PUBLIC KEY BLOCK, got PGP ${type}`);
    return bytes;
  });
}

/** One armor block with a checksum and LF line ends, the last line ended (keystore contract §1.6). */
export function writeArmor(bytes: Uint8Array): string {
  return `${encodeArmor('PUBLIC KEY BLOCK', bytes)}\n`;
}

/** One armor block that holds the content of several. */
export function joinArmor(armors: readonly string[]): string {
  return writeArmor(Buffer.concat(armors.flatMap((armor) => readArmor(armor))));
}
