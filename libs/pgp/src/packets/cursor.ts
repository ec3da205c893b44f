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

  /** A multiprecision integer (RFC 9580 §3.2). @param most its size in bits */
  mpi(most: number = PACKET_LIMITS.mpiBits): Uint8Array {
    const bits = this.number(2);
    if (bits > most) throw badKey(`Expected a number of at most ${most} bits in a key, got ${bits}`);
    return this.take(Math.ceil(bits / 8));
  }
}
