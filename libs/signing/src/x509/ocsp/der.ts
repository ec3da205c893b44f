/*
 * As much of DER (X.690) as an OCSP request and its answer need. A reader of its own because the X.509 library that is
 * used elsewhere knows certificates only.
 */

/** Class and number of the tags that occur here. */
export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** `[n]` around other values. */
  explicit: (number: number) => 0xa0 | number,
  /** `[n]` in place of the tag of a value that has no parts. */
  implicit: (number: number) => 0x80 | number,
} as const;

/** One value: its tag, what is in it, and the bytes of both. */
export interface Der {
  readonly tag: number;
  readonly body: Buffer;
  readonly raw: Buffer;
}

/** Bytes that are no DER, or another value than was expected. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** The values in a stretch of bytes, one after the other. @throws DerError */
function readValues(bytes: Buffer): Der[] {
  const values: Der[] = [];
  for (let at = 0; at < bytes.length;) {
    const value = readValue(bytes.subarray(at));
    values.push(value);
    at += value.raw.length;
  }
  return values;
}

/** The one value that the bytes are. @throws DerError also when something stands behind it */
export function readOne(bytes: Buffer, tag: number): Der {
  const value = readValue(bytes);
  if (value.raw.length !== bytes.length) throw new DerError('something stands behind a value');
  return expectTag(value, tag);
}

/** The values in a value of this tag. @throws DerError */
export function partsOf(value: Der | undefined, tag: number = DerTag.sequence): Der[] {
  return readValues(expectTag(value, tag).body);
}

/** The value, when it has this tag. @throws DerError */
export function expectTag(value: Der | undefined, tag: number): Der {
  if (value === undefined) throw new DerError('a value is missing');
  if (value.tag !== tag) throw new DerError(`Expected tag ${tag}, got ${value.tag}`);
  return value;
}

function readValue(bytes: Buffer): Der {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw new DerError('a value is cut off');
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag has a long number');
  let header = 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    // Without a length, or with more than 2^32 bytes: neither occurs in DER of this size.
    if (count === 0 || count > 4 || bytes.length < 2 + count) throw new DerError('a length is not valid');
    length = bytes.readUIntBE(2, count);
    header += count;
    if (length < 0x80 || bytes[2] === 0) throw new DerError('a length is longer than it must be');
  }
  if (bytes.length < header + length) throw new DerError('a value is cut off');
  return { tag, body: bytes.subarray(header, header + length), raw: bytes.subarray(0, header + length) };
}

/** A value made of others, or of bytes. */
export function write(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const hex = body.length.toString(16);
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body]);
}

/** An object identifier as text. @throws DerError */
export function oidText(value: Der | undefined): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of expectTag(value, DerTag.oid).body) {
    number = number * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(number)) throw new DerError('an object identifier is too large');
    if ((byte & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(number / 40));
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  return numbers.join('.');
}

/** A time as `YYYYMMDDhhmmssZ`, the one form that DER allows here (RFC 5280 §4.1.2.5.2). @throws DerError */
export function timeOf(value: Der | undefined): Date {
  const text = expectTag(value, DerTag.generalizedTime).body.toString('latin1');
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(date.getTime())) throw new DerError('a time is not valid');
  return date;
}

/** The bytes of a bit string whose last byte is used whole. @throws DerError */
export function bitsOf(value: Der | undefined): Buffer {
  const { body } = expectTag(value, DerTag.bitString);
  if (body[0] !== 0) throw new DerError('a bit string ends within a byte');
  return body.subarray(1);
}
