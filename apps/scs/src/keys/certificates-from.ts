import { DomainError } from '#libs/core';
import { type Piece, PacketSplitter } from './packet-splitter.js';

const BEGIN = /^-----BEGIN PGP ([A-Z ]+)-----\s*$/;
const END = /^-----END PGP [A-Z ]+-----\s*$/;
const HEADER = /^[A-Za-z][A-Za-z0-9-]*: ?/;
const CHECKSUM = /^=[A-Za-z0-9+/]{4}\s*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Old programs label keys as files (keystore contract §3.5). */
const TAKEN = new Set(['PUBLIC KEY BLOCK', 'ARMORED FILE']);
/** Characters of a line: those of armor have 64 or 76. */
const LONGEST_LINE = 64 * 1024;

/**
 * The certificates in a file or stream of keys, binary or armored, one at a time: a dump of millions needs no more memory than one of
 * them. What cannot be taken comes as a sentence in its place.
 * @throws DomainError `unprocessable` for binary data that cannot be told apart
 */
export async function* certificatesFrom(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece, void> {
  let reader: { add(chunk: Uint8Array): Iterable<Piece>; end(): Iterable<Piece> } | undefined;
  for await (const chunk of chunks) {
    const [first] = chunk;
    if (first === undefined) continue;
    reader ??= (first & 0x80) === 0 ? new ArmorReader() : new PacketSplitter();
    yield* reader.add(chunk);
  }
  if (reader !== undefined) yield* reader.end();
}

/** Takes armor off line by line. */
class ArmorReader {
  #line = '';
  #state: 'outside' | 'headers' | 'data' | 'skipped' = 'outside';
  #packets = new PacketSplitter();
  /** Base64 of which the last four characters are not there yet. */
  #base64 = '';

  *add(chunk: Uint8Array): Generator<Piece, void> {
    const lines = `${this.#line}${Buffer.from(chunk).toString('latin1')}`.split('\n');
    this.#line = (lines.pop() ?? '').slice(0, LONGEST_LINE);
    for (const line of lines) yield* this.#take(line.trimEnd());
  }

  *end(): Generator<Piece, void> {
    yield* this.#take(this.#line.trimEnd());
    if (this.#state !== 'outside') yield { message: 'the armored block is cut off' };
  }

  *#take(line: string): Generator<Piece, void> {
    const type = BEGIN.exec(line)?.[1];
    if (type !== undefined) {
      if (this.#state !== 'outside' && this.#state !== 'skipped')
        yield { message: 'the armored block is cut off' };
      yield* this.#begin(type);
    } else if (this.#state === 'outside') return;
    else if (END.test(line)) yield* this.#close();
    else if (this.#state === 'skipped') return;
    else if (this.#state === 'headers' && (line === '' || HEADER.test(line))) {
      if (line === '') this.#state = 'data';
    } else if (!CHECKSUM.test(line)) yield* this.#decode(line);
  }

  *#begin(type: string): Generator<Piece, void> {
    this.#packets = new PacketSplitter();
    this.#base64 = '';
    this.#state = TAKEN.has(type) ? 'headers' : 'skipped';
    if (type.startsWith('PRIVATE KEY')) yield { message: 'a secret key: it was not sent anywhere' };
    else if (this.#state === 'skipped') yield { message: `not a public key, but PGP ${type}` };
  }

  *#decode(line: string): Generator<Piece, void> {
    this.#state = 'data';
    if (!BASE64.test(line)) {
      yield* this.#give('a line is no base64');
      return;
    }
    const base64 = this.#base64 + line;
    const whole = base64.length - (base64.length % 4);
    this.#base64 = base64.slice(whole);
    yield* this.#split((packets) => packets.add(Buffer.from(base64.slice(0, whole), 'base64')));
  }

  *#close(): Generator<Piece, void> {
    if (this.#state !== 'skipped') yield* this.#split((packets) => packets.end());
    this.#state = 'outside';
  }

  /** One bad block of many is left out. */
  *#split(work: (packets: PacketSplitter) => Iterable<Piece>): Generator<Piece, void> {
    try {
      yield* work(this.#packets);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      yield* this.#give(error.message);
    }
  }

  *#give(message: string): Generator<Piece, void> {
    this.#state = 'skipped';
    yield { message };
  }
}
