import { timingSafeEqual } from 'node:crypto';

/*
 * Opening boxes of NaCl (XSalsa20 and Poly1305), which sigstore and cosign keep private keys in. OpenSSL has neither, and no library
 * that is here anyway; a few kilobytes once do not need a fast one.
 */

const TAG_BYTES = 16;
const BLOCK_BYTES = 64;

/**
 * What is in a box, or undefined when the key is not the one it was made with or something was changed.
 * @param key 32 bytes
 * @param nonce 24 bytes
 * @param box 16 bytes of authenticator, then the hidden bytes
 */
export function openSecretBox(key: Uint8Array, nonce: Uint8Array, box: Uint8Array): Buffer | undefined {
  if (key.length !== 32 || nonce.length !== 24 || box.length < TAG_BYTES) return undefined;
  const hidden = box.subarray(TAG_BYTES);
  const stream = xsalsa20(key, nonce, 32 + hidden.length);
  const tag = poly1305(stream.subarray(0, 32), hidden);
  if (!timingSafeEqual(tag, box.subarray(0, TAG_BYTES))) return undefined;
  return Buffer.from(hidden.map((byte, index) => byte ^ (stream[32 + index] ?? 0)));
}

function xsalsa20(key: Uint8Array, nonce: Uint8Array, length: number): Buffer {
  // The first 16 bytes of the nonce make a key of their own, the other 8 are the nonce of the stream.
  const mixed = salsaRounds(words(key, nonce.subarray(0, 16)));
  const subkey = Buffer.alloc(32);
  for (const [index, at] of [0, 5, 10, 15, 6, 7, 8, 9].entries())
    subkey.writeUInt32LE(mixed[at] ?? 0, index * 4);
  const stream = Buffer.alloc(Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES);
  for (let block = 0; block * BLOCK_BYTES < length; block += 1) {
    const input = Buffer.alloc(16);
    input.set(nonce.subarray(16, 24));
    input.writeUInt32LE(block, 8);
    const start = words(subkey, input);
    const end = salsaRounds(start);
    for (const [index, word] of end.entries())
      stream.writeUInt32LE((word + (start[index] ?? 0)) >>> 0, block * BLOCK_BYTES + index * 4);
  }
  return stream.subarray(0, length);
}

const CONSTANTS = Buffer.from('expand 32-byte k', 'latin1');

/** The state of Salsa20: constants on the diagonal, key and input around them. */
function words(key: Uint8Array, input: Uint8Array): Uint32Array {
  const k = Buffer.from(key);
  const i = Buffer.from(input);
  const state = new Uint32Array(16);
  for (let index = 0; index < 4; index += 1) {
    state[index * 5] = CONSTANTS.readUInt32LE(index * 4);
    state[1 + index] = k.readUInt32LE(index * 4);
    state[6 + index] = i.readUInt32LE(index * 4);
    state[11 + index] = k.readUInt32LE(16 + index * 4);
  }
  return state;
}

/** Which words of the state a quarter round changes, four times by columns and four times by rows. */
const QUARTERS = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

function salsaRounds(start: Uint32Array): Uint32Array {
  const state = Uint32Array.from(start);
  const add = (to: number, a: number, b: number, by: number) => {
    const sum = ((state[a] ?? 0) + (state[b] ?? 0)) >>> 0;
    state[to] = (state[to] ?? 0) ^ ((sum << by) | (sum >>> (32 - by)));
  };
  for (let round = 0; round < 20; round += 2)
    for (const [a, b, c, d] of QUARTERS) {
      add(b, a, d, 7);
      add(c, b, a, 9);
      add(d, c, b, 13);
      add(a, d, c, 18);
    }
  return state;
}

const PRIME = 2n ** 130n - 5n;
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

function poly1305(key: Uint8Array, message: Uint8Array): Buffer {
  const r = littleEndian(key.subarray(0, 16)) & CLAMP;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const part = message.subarray(at, at + 16);
    sum = ((sum + littleEndian(part) + (1n << BigInt(8 * part.length))) * r) % PRIME;
  }
  const tag = (sum + littleEndian(key.subarray(16, 32))) & (2n ** 128n - 1n);
  return Buffer.from(Buffer.from(tag.toString(16).padStart(32, '0'), 'hex').toReversed());
}

const littleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex') || '0'}`);
