import { badKey } from './fault.js';
import { PACKET_LIMITS } from './limits.js';

/** Reads a packet body from front to back; running over its end is a sentence, never an undefined. */
export class Cursor {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  take(count: number): Uint8Array {
    if (count > this.left) throw badKey('An OpenPGP packet is shorter than it says');
    const part = this.bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return part;
  }

  number(count: 1 | 2 | 4): number {
    return this.take(count).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** A multiprecision integer (RFC 9580 §3.2), however it is written. @param most its size in bits */
  mpi(most: number = PACKET_LIMITS.mpiBits): Uint8Array {
    return this.#mpi(most).digits;
  }

  /**
   * A multiprecision integer in the one form that it may have: without leading zeros, its size said to the bit. Programs hash numbers
   * as they would write them, so any other form would be another key to some, and the same to others.
   * @param most its size in bits
   */
  exactMpi(most: number = PACKET_LIMITS.mpiBits): Uint8Array {
    const { bits, digits } = this.#mpi(most);
    if (bits !== bitsOf(digits)) throw badKey('A number in a key is not written as it must be');
    return digits;
  }

  #mpi(most: number): { bits: number; digits: Uint8Array } {
    const bits = this.number(2);
    if (bits > most) throw badKey(`Expected a number of at most ${most} bits in a key, got ${bits}`);
    return { bits, digits: this.take(Math.ceil(bits / 8)) };
  }
}

/** The size of a number in bits, without its leading zeros. */
export function bitsOf(number: Uint8Array): number {
  const start = number.findIndex((byte) => byte !== 0);
  return start < 0 ? 0 : (number.length - start) * 8 - Math.clz32(number[start] ?? 0) + 24;
}
