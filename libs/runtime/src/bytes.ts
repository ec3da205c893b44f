import type { Bytes } from './plan.js';

/**
 * Byte strings: one character U+0000–U+00FF per byte. Inside the planner every path, argument and value is one, so that names which are
 * not UTF-8 survive. The engine knows neither TextEncoder nor Buffer, so both directions are written out.
 */

/** The UTF-8 bytes of a text. A lone surrogate becomes U+FFFD, as everywhere. */
export function bytesOf(text: string): Bytes {
  let bytes = '';
  for (const character of text) bytes += utf8(character.codePointAt(0) ?? 0);
  return bytes;
}

/** Like bytesOf, but characters below U+0100 already are bytes: makes a message that was put together from both a byte string. */
export function bytesOfMixed(text: string): Bytes {
  let bytes = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x100 ? character : utf8(code);
  }
  return bytes;
}

function utf8(code: number): Bytes {
  const point = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
  if (point < 0x80) return String.fromCharCode(point);
  const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x800) return String.fromCharCode(0xc0 | (point >> 6), tail(0));
  if (point < 0x10000) return String.fromCharCode(0xe0 | (point >> 12), tail(6), tail(0));
  return String.fromCharCode(0xf0 | (point >> 18), tail(12), tail(6), tail(0));
}

/** Whether a text is a byte string that may stand in a plan: no character above U+00FF, no U+0000. */
export function isBytes(text: string): text is Bytes {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0 || code > 0xff) return false;
  }
  return true;
}

/** Spaces, tabs, carriage returns and the like at both ends taken away (String.trim would also take the byte 0xA0). */
export function trimBytes(text: Bytes): Bytes {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether a name may be a shell variable: a letter or `_`, then letters, digits or `_`. */
export function isVariableName(name: Bytes): boolean {
  return VARIABLE_NAME.test(name);
}

/** A whole number without sign, or null. At most 15 digits, so that it is exact. */
export function parseCount(text: Bytes): number | null {
  if (text === '' || text.length > 15) return null;
  let value = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return value;
}
