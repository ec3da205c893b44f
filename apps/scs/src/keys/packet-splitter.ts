import { DomainError } from '#libs/core';
import { PACKET_LIMITS } from '#libs/pgp';

/** One certificate as packets, or why what begins like one is none that a key server takes. */
export type Piece = { readonly bytes: Uint8Array } | { readonly message: string };

const PUBLIC_KEY = 6;
const SECRET_KEY = 5;

interface Header {
  readonly tag: number;
  /** Bytes of the header and of the body. */
  readonly size: number;
  readonly body: number;
}

/**
 * Cuts OpenPGP packets that arrive in pieces of any size into certificates (RFC 9580 §4.2). Holds no more than one certificate: of
 * what is too large, and of secret keys, nothing is kept.
 */
export class PacketSplitter {
  #rest = Buffer.alloc(0);
  /** Bytes of a packet that are dropped as they come. */
  #skip = 0;
  #parts: Buffer[] = [];
  #size = 0;
  /** Why the certificate at hand is not taken. */
  #refused: string | undefined;
  #begun = false;
  #at = 0;

  /** @throws DomainError `unprocessable` where the packets cannot be told apart any more */
  *add(bytes: Uint8Array): Generator<Piece, void> {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      if (this.#skip > 0) {
        const dropped = Math.min(this.#skip, this.#rest.length);
        this.#take(dropped);
        this.#skip -= dropped;
        if (this.#skip > 0) return;
      }
      const header = headerOf(this.#rest, this.#at);
      if (header === undefined) return;
      if (header.tag === PUBLIC_KEY || header.tag === SECRET_KEY) yield* this.#next(header);
      const whole = header.size + header.body;
      if (!this.#begun || this.#refused !== undefined || this.#isTooLarge(whole)) this.#skip = whole;
      else if (this.#rest.length < whole) return;
      else this.#keep(this.#take(whole));
    }
  }

  /** What is left when nothing follows. @throws DomainError `unprocessable` when a packet is cut off */
  *end(): Generator<Piece, void> {
    if (this.#rest.length > 0 || this.#skip > 0) throw broken(this.#at, 'the last packet is cut off');
    yield* this.#flush();
    this.#begun = false;
  }

  *#next({ tag, size, body }: Header): Generator<Piece, void> {
    // Waiting for the rest of this packet comes here again: what was before it is out by then.
    if (this.#parts.length > 0 || this.#refused !== undefined) yield* this.#flush();
    this.#begun = true;
    if (tag === SECRET_KEY) this.#refused = 'a secret key: it was not sent anywhere';
    else if (size + body > PACKET_LIMITS.uploadBytes) this.#refused = 'too large for a key';
  }

  *#flush(): Generator<Piece, void> {
    const [refused, parts] = [this.#refused, this.#parts];
    this.#refused = undefined;
    this.#parts = [];
    this.#size = 0;
    if (refused !== undefined) yield { message: refused };
    else if (parts.length > 0) yield { bytes: new Uint8Array(Buffer.concat(parts)) };
  }

  #isTooLarge(whole: number): boolean {
    if (this.#size + whole <= PACKET_LIMITS.uploadBytes && this.#parts.length < PACKET_LIMITS.packets)
      return false;
    this.#refused = 'too large for a key';
    this.#parts = [];
    return true;
  }

  #keep(packet: Buffer): void {
    this.#parts.push(packet);
    this.#size += packet.length;
  }

  #take(count: number): Buffer {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    this.#at += count;
    return taken;
  }
}

/** The header at the beginning of some bytes; undefined when it is not there as a whole yet. @param at for messages */
function headerOf(bytes: Buffer, at: number): Header | undefined {
  const first = bytes[0];
  if (first === undefined) return undefined;
  if ((first & 0x80) === 0) throw broken(at, 'there is something else than a packet');
  return (first & 0x40) === 0 ? oldHeader(bytes, first, at) : newHeader(bytes, first & 0x3f, at);
}

function oldHeader(bytes: Buffer, first: number, at: number): Header | undefined {
  const count = [1, 2, 4][first & 3];
  if (count === undefined) throw broken(at, 'a packet has no length');
  if (bytes.length < 1 + count) return undefined;
  return { tag: (first >> 2) & 0x0f, size: 1 + count, body: bytes.readUIntBE(1, count) };
}

function newHeader(bytes: Buffer, tag: number, at: number): Header | undefined {
  const second = bytes[1];
  if (second === undefined) return undefined;
  if (second < 192) return { tag, size: 2, body: second };
  if (second < 224)
    return bytes.length < 3
      ? undefined
      : { tag, size: 3, body: ((second - 192) << 8) + bytes.readUInt8(2) + 192 };
  if (second < 255) throw broken(at, 'a packet has a partial length');
  return bytes.length < 6 ? undefined : { tag, size: 6, body: bytes.readUInt32BE(2) };
}

function broken(at: number, what: string): DomainError {
  return new DomainError('unprocessable', `Expected OpenPGP packets, but at byte ${at} ${what}`, {
    reason: 'bad_openpgp_data',
  });
}
