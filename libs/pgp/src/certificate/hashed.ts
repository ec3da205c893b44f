import { keyData } from '../packets/key.js';
import type { Packet } from '../packets/reader.js';
import type { SignatureFacts } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import type { Signed } from './components.js';

/** What is hashed for a signature of a certificate (RFC 9580 §5.2.4). */
export function hashedData({ version, salt, head }: SignatureFacts, { primary, component }: Signed): Buffer {
  return Buffer.concat([
    salt,
    ...keyData(version, primary.body),
    ...(component === undefined ? [] : componentData(version, component)),
    head,
    Buffer.of(version, 0xff),
    uint32(head.length),
  ]);
}

function componentData(version: 4 | 6, { tag, body }: Packet): Uint8Array[] {
  return tag === Tag.userId ? [Buffer.of(0xb4), uint32(body.length), body] : keyData(version, body);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
