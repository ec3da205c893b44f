import { hash, type KeyObject, verify } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Algorithm, hashUsed } from '../packets/algorithms.js';
import { badKey } from '../packets/fault.js';
import type { KeyFacts } from '../packets/key.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { SignatureFacts } from '../packets/signature.js';
import type { Signed } from './components.js';
import { hashedData } from './hashed.js';
import { publicKeyOf } from './publicKey.js';
import { Turns } from './turns.js';

/** How much may still be checked; certificates of one upload share it. */
export interface Work {
  left: number;
}

export function workForUpload(): Work {
  return { left: PACKET_LIMITS.work };
}

/** What it costs to hash, beside the signature that is then checked: something, and a unit for so many octets. */
const HASH_COST = 0.03;
const HASHED_OCTETS = 50_000;

/** One signature at a time in the whole process, and everybody else's work between two of them. */
let turn: Promise<unknown> = Promise.resolve();
function inTurn<T>(work: () => T): Promise<T> {
  const mine = turn.then(() => nextTurn()).then(work);
  turn = mine.catch(() => undefined);
  return mine;
}

/**
 * Checks single signatures. Every octet that came is hashed, never what a library would write instead: a text that is not UTF-8 would
 * fail, and a number that is written in another way would pass (keystore contract §3.1).
 */
export class SignatureVerifier {
  readonly #keys = new Map<KeyFacts, KeyObject | undefined>();
  readonly #work: Work;
  readonly #turns = new Turns();

  constructor(work: Work) {
    this.#work = work;
  }

  /**
   * Whether `signer` made this signature over `signed`. Anything broken is just not valid.
   * @throws DomainError when there was too much to check
   */
  async verify(signature: SignatureFacts, signed: Signed, signer: KeyFacts): Promise<boolean> {
    const known = hashUsed(signature);
    if (known === undefined || signature.algorithm !== signer.algorithm) return false;
    const data = hashedData(signature, signed);
    this.#spend(HASH_COST + data.length / HASHED_OCTETS);
    await this.#turns.after(data.length);
    const digest = hash(known.name, data, 'buffer');
    // Nearly always this tells that a signature is over something else, before any computing with keys.
    if (!digest.subarray(0, 2).equals(signature.left)) return false;
    this.#spend(costOf(signer));
    return inTurn(() => {
      try {
        const key = this.#key(signer);
        return key !== undefined && check(signature, signer, key, { name: known.name, data, digest });
      } catch {
        return false;
      }
    });
  }

  /** Whether a key can be used at all. For a point that means: it is on its curve. */
  isUsable(key: KeyFacts): boolean {
    if (key.material.kind === 'other') return true;
    try {
      return this.#key(key) !== undefined;
    } catch {
      return false;
    }
  }

  #spend(units: number): void {
    this.#work.left -= units;
    if (this.#work.left < 0)
      throw badKey('Expected fewer signatures in a key: checking all of them would take too long');
  }

  /** Each key is read once per upload. */
  #key(facts: KeyFacts): KeyObject | undefined {
    if (!this.#keys.has(facts)) this.#keys.set(facts, publicKeyOf(facts.material));
    return this.#keys.get(facts);
  }
}

interface Hashed {
  readonly name: string;
  readonly data: Buffer;
  readonly digest: Buffer;
}

function check(
  { numbers }: SignatureFacts,
  { algorithm, material }: KeyFacts,
  key: KeyObject,
  { name, data, digest }: Hashed,
): boolean {
  switch (material.kind) {
    case 'rsa':
      return verify(name, data, key, padded(numbers, material.n.length));
    case 'dsa':
      return verify(name, data, { key, dsaEncoding: 'ieee-p1363' }, padded(numbers, material.q.length));
    case 'point':
      return verify(name, data, { key, dsaEncoding: 'ieee-p1363' }, padded(numbers, material.curve.size));
    case 'ed25519':
    case 'ed448': {
      const signature = algorithm === Algorithm.eddsaLegacy ? padded(numbers, 32) : Buffer.concat(numbers);
      return verify(null, digest, key, signature);
    }
    case 'other':
      return false;
  }
}

/** Numbers with leading zeros, one after the other. @throws RangeError for one that is too long */
const padded = (numbers: readonly Uint8Array[], size: number): Buffer =>
  Buffer.concat(numbers.flatMap((number) => [Buffer.alloc(size - number.length), number]));

/** What a signature of a key costs, in units of {@link PACKET_LIMITS.work}. */
function costOf({ bits, material }: KeyFacts): number {
  switch (material.kind) {
    case 'rsa':
      return Math.max(1, (bits / 4096) ** 2 * (material.e.length / 3));
    case 'dsa':
      return bits / 512;
    case 'point':
      return bits / 50;
    case 'ed25519':
    case 'ed448':
    case 'other':
      return 2;
  }
}
