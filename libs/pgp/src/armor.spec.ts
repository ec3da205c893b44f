import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeArmor } from './armor.js';

/** RFC 9580 §6.1.1, bit by bit. */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : 0x1864cfb);
  }
  return crc & 0xffffff;
}

it('ends with the checksum of its bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const line = encodeArmor('SIGNATURE', bytes).split('\n').at(-2) ?? '';
      expect(Buffer.from(line.slice(1), 'base64').readUIntBE(0, 3)).toBe(crc24(bytes));
    }),
  );
});
