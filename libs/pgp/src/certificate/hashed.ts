import type { Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import type { Signed } from './components.js';

/**
 * What is hashed for a version 4 signature of a certificate (RFC 9580 §5.2.4).
 * @param head of the signature: from the version to the end of the hashed area
 */
export function hashedData({ primary, component }: Signed, head: Uint8Array): Buffer {
  return Buffer.concat([
    keyData(primary),
    ...(component === undefined ? [] : [componentData(component)]),
    head,
    Buffer.from([4, 0xff]),
    uint32(head.length),
  ]);
}

function keyData({ body }: Packet): Buffer {
  return Buffer.concat([Buffer.from([0x99, body.length >> 8, body.length & 0xff]), body]);
}

function componentData(component: Packet): Buffer {
  if (component.tag !== Tag.userId) return keyData(component);
  return Buffer.concat([Buffer.from([0xb4]), uint32(component.body.length), component.body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A number with leading zeros. @throws RangeError for one that is too long */
export function padded(number: Uint8Array, size: number): Buffer {
  return Buffer.concat([Buffer.alloc(size - number.length), number]);
}
