/*
 * Base64 of armor blocks, from octets to octets: what was uploaded by mistake can be wiped, which a string cannot.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const NONE = 255;
const VALUES = new Uint8Array(256).fill(NONE);
for (let value = 0; value < ALPHABET.length; value += 1) VALUES[ALPHABET.charCodeAt(value)] = value;

const BLANK = 0x20;
const EQUALS = 0x3d;
const PLUS = 62;

/** Collects the octets of lines of base64. */
export class Base64Reader {
  readonly #out: Buffer;
  #length = 0;
  #bits = 0;
  #characters = 0;
  #padding = 0;
  #isBroken = false;

  /** @param most characters that come at most */
  constructor(most: number) {
    this.#out = Buffer.alloc(Math.ceil((most * 3) / 4));
  }

  /** A line without its end, blanks inside and behind it included. */
  add(line: Uint8Array): void {
    for (const octet of repaired(line)) this.#add(octet);
  }

  /** What was read so far. */
  get bytes(): Buffer {
    return this.#out.subarray(0, this.#length);
  }

  /** Whether all of it was base64, to its end. */
  get isWhole(): boolean {
    return !this.#isBroken && (this.#characters + this.#padding) % 4 === 0 && this.#length > 0;
  }

  #add(octet: number): void {
    // Behind what is no base64 nothing is where it belongs.
    if (this.#isBroken) return;
    if (octet === EQUALS) {
      this.#padding += 1;
      this.#isBroken ||= this.#padding > 2;
      return;
    }
    const value = octet === BLANK ? PLUS : (VALUES[octet] ?? NONE);
    if (value === NONE || this.#padding > 0) {
      this.#isBroken = true;
      return;
    }
    this.#bits = ((this.#bits << 6) | value) & 0xffffff;
    this.#characters += 1;
    const place = this.#characters % 4;
    // 6, 12, 18 and 24 bits: an octet is complete from the second character on.
    if (place !== 1) this.#put((this.#bits >> (place === 2 ? 4 : place === 3 ? 2 : 0)) & 0xff);
  }

  #put(octet: number): void {
    this.#out[this.#length] = octet;
    this.#length += 1;
  }
}

/**
 * In base64 a blank can only be a `+` that a form encoding has lost. At the end of a line it may also be what a mailer added: lines are
 * as long as whole groups of four characters, which tells one from the other.
 */
function repaired(line: Uint8Array): Uint8Array {
  let end = line.length;
  while (end > 0 && line[end - 1] === BLANK) end -= 1;
  return end % 4 === 0 ? line.subarray(0, end) : line;
}
