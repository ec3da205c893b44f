import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnyKeyPacket } from 'openpgp';
import { loadOpenPgp } from '../openpgp.js';
import { badKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import { SignatureType } from '../packets/signature.js';
import type { Signed } from './components.js';
import { readCurveKey, verifyOnCurve } from './curves.js';
import { NativeVerifier } from './native.js';

/** How much may still be checked; certificates of one upload share it. */
export interface Work {
  left: number;
}

export function workForUpload(): Work {
  return { left: PACKET_LIMITS.work };
}

/** What a signature of an algorithm costs: DSA and Ed448 are computed in JavaScript, curves differ. */
const COST: Readonly<Record<number, number>> = { 17: 50, 19: 4, 28: 10 };

/** One signature at a time in the whole process, and everybody else's work between two of them. */
let turn: Promise<unknown> = Promise.resolve();
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(() => nextTurn()).then(work);
  turn = mine.catch(() => undefined);
  return mine;
}

/**
 * Checks single signatures: Node does what it can (some of it only Node), OpenPGP.js the rest. User ids go in as the bytes that came, never
 * re-encoded: a text that is not UTF-8 would otherwise fail (keystore contract §3.1).
 */
export class SignatureVerifier {
  readonly #keys = new Map<Packet, Promise<AnyKeyPacket>>();
  readonly #native = new NativeVerifier();
  readonly #work: Work;

  constructor(work: Work) {
    this.#work = work;
  }

  /**
   * Whether `signer` made this signature of the given type over `signed`. Anything broken is just not valid.
   * @throws DomainError when there was too much to check
   */
  async verify(body: Uint8Array, type: number, signed: Signed, signer: Packet): Promise<boolean> {
    this.#work.left -= COST[body[2] ?? 0] ?? 1;
    if (this.#work.left < 0)
      throw badKey('Expected fewer signatures in a key: checking all of them would take too long');
    return inTurn(
      async () =>
        this.#natively(body, type, signed, signer) ?? (await this.#verify(body, type, signed, signer)),
    );
  }

  #natively(body: Uint8Array, type: number, signed: Signed, signer: Packet): boolean | undefined {
    try {
      return this.#native.verify(body, type, signed, signer);
    } catch {
      return undefined;
    }
  }

  async #verify(body: Uint8Array, type: number, signed: Signed, signer: Packet): Promise<boolean> {
    const openpgp = await loadOpenPgp();
    try {
      const curveKey = readCurveKey(signer);
      if (curveKey !== undefined) return verifyOnCurve(curveKey, body, signed);
      const signature = new openpgp.SignaturePacket();
      signature.read(body);
      const key = await this.#key(signer);
      const data = await this.#data(type, signed);
      // The date is checked by the caller, who knows which skew is allowed; null asks for no check.
      await signature.verify(
        key,
        // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- types of packets are numbers everywhere here
        type,
        data,
        null as unknown as Date,
        false,
        openpgp.config,
      );
      return true;
    } catch {
      return false;
    }
  }

  async #data(type: number, { primary, component }: Signed): Promise<object> {
    const key = await this.#key(primary);
    if (component === undefined) return { key };
    if (component.tag === Tag.userId) return { key, userID: { write: () => component.body } };
    if (type === SignatureType.keyRevocation) return { key };
    return { key, bind: await this.#key(component) };
  }

  /** Each key is parsed once per upload. */
  #key(packet: Packet): Promise<AnyKeyPacket> {
    const known = this.#keys.get(packet) ?? this.#parse(packet);
    this.#keys.set(packet, known);
    return known;
  }

  async #parse(packet: Packet): Promise<AnyKeyPacket> {
    const openpgp = await loadOpenPgp();
    const key =
      packet.tag === Tag.publicKey ? new openpgp.PublicKeyPacket() : new openpgp.PublicSubkeyPacket();
    await (key.read(packet.body) as unknown as Promise<void> | void);
    // OpenPGP.js hashes what it would write, not what it read. A number whose size is said wrongly (RFC 9580 §3.2) would pass with
    // the signature of the true key, under a fingerprint of its own: as many of those as anybody likes.
    if (!Buffer.from(key.write()).equals(packet.body))
      throw badKey('A number in a key is not written as it must be');
    return key;
  }
}
