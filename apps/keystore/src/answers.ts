/** A time in milliseconds, and as HTTP writes it. */
export interface Moment {
  readonly milliseconds: number;
  readonly text: string;
}

/** A finished answer of `op=get`. */
export interface Answer {
  readonly body: string;
  /** Strong validator of the body, with its quotes. */
  readonly etag: string;
  /** When the newest change of what is in it was made. */
  readonly modified: Moment;
  /** For who stores it, without a suffix. */
  readonly name: string;
}

/** What is kept of an answer beside its text, and what each handle that leads to it takes, about. */
const KEPT_BYTES = 550;
const HANDLE_BYTES = 50;
/** The part of all blocks that is the oldest: what is asked for there moves to the newest before it has to go. */
const OLD = 1 / 4;

/** Texts that came one after the other, and go together. */
interface Block {
  /** Counts blocks. */
  readonly number: number;
  readonly octets: Buffer;
  used: number;
  /** Bytes besides the texts. */
  beside: number;
  /** What leads here, and may since lead elsewhere. */
  readonly handles: string[];
  readonly etags: string[];
}

/** An answer without its text, which is a part of a block. */
interface Kept extends Omit<Answer, 'body'> {
  readonly block: Block;
  readonly start: number;
  readonly end: number;
}

/**
 * Finished answers of `op=get` by the handle that they were asked by, within a bound of bytes. Texts are outside of the heap of
 * JavaScript, where the collector of garbage neither moves nor counts them, and once for all handles that lead to them. Where there
 * is no room the oldest block of them goes; what is asked for while it is in the older ones moves to the newest.
 *
 * Nothing that was changed is given out: whoever changes a certificate lets go of the answers of all its handles, those that it
 * had and those that it has, before the change is acknowledged. An answer that was being read meanwhile is not taken in.
 */
export class Answers {
  readonly #bytes: number;
  readonly #blockBytes: number;
  readonly #byHandle = new Map<string, Kept>();
  /** Strong validators are equal for equal texts only. */
  readonly #byEtag = new Map<string, Kept>();
  #blocks: Block[] = [];
  #beside = 0;
  #changes = 0;

  /**
   * @param bytes of all answers together; 0 = none is kept
   * @param blockBytes of the texts that go together; a longer one is not kept
   */
  constructor(bytes: number, blockBytes = 1024 * 1024) {
    this.#bytes = bytes;
    this.#blockBytes = blockBytes;
  }

  get(handle: string): Answer | undefined {
    const kept = this.#byHandle.get(handle);
    if (kept === undefined) return undefined;
    const { block, start, end, etag, modified, name } = kept;
    const answer = { body: block.octets.toString('latin1', start, end), etag, modified, name };
    if (this.#isOld(kept)) this.#add(handle, answer);
    return answer;
  }

  /** To be asked before an answer is read, and given to {@link put} with it. */
  get changes(): number {
    return this.#changes;
  }

  /** Keeps an answer, unless something has changed since it was begun to be read. */
  put(handle: string, answer: Answer, changes: number): void {
    if (changes === this.#changes) this.#add(handle, answer);
  }

  /** Called when a certificate with these handles was changed, and before anybody is told so. */
  forget(handles: Iterable<string>): void {
    this.#changes += 1;
    for (const handle of handles) this.#byHandle.delete(handle);
  }

  /** Bytes that are held now: of all blocks, whether or not they are full, and beside them. */
  get bytes(): number {
    return this.#blocks.length * this.#blockBytes + this.#beside;
  }

  #add(handle: string, answer: Answer): void {
    // ASCII: as many octets as characters.
    if (answer.body.length > this.#blockBytes || this.#blockBytes > this.#bytes) return;
    const known = this.#byEtag.get(answer.etag);
    const isThere = known?.modified.milliseconds === answer.modified.milliseconds && !this.#isOld(known);
    const kept = isThere ? known : this.#write(answer);
    this.#byHandle.set(handle, kept);
    kept.block.handles.push(handle);
    this.#charge(kept.block, HANDLE_BYTES + handle.length);
    while (this.bytes > this.#bytes) this.#drop();
  }

  #write({ body, ...said }: Answer): Kept {
    const block = this.#blockFor(body.length);
    const start = block.used;
    block.used += block.octets.write(body, start, 'latin1');
    const kept = { ...said, block, start, end: block.used };
    this.#byEtag.set(said.etag, kept);
    block.etags.push(said.etag);
    this.#charge(block, KEPT_BYTES);
    return kept;
  }

  #blockFor(length: number): Block {
    const newest = this.#blocks.at(-1);
    if (newest !== undefined && newest.used + length <= this.#blockBytes) return newest;
    const full = this.bytes + this.#blockBytes > this.#bytes;
    const octets = (full ? this.#drop() : undefined) ?? Buffer.allocUnsafeSlow(this.#blockBytes);
    const number = (newest?.number ?? 0) + 1;
    const block: Block = { number, octets, used: 0, beside: 0, handles: [], etags: [] };
    this.#blocks.push(block);
    return block;
  }

  #charge(block: Block, bytes: number): void {
    block.beside += bytes;
    this.#beside += bytes;
  }

  /** Lets go of the oldest block. @returns its memory, which nothing refers to any more */
  #drop(): Buffer | undefined {
    const block = this.#blocks.shift();
    if (block === undefined) return undefined;
    this.#beside -= block.beside;
    for (const handle of block.handles)
      if (this.#byHandle.get(handle)?.block === block) this.#byHandle.delete(handle);
    for (const etag of block.etags) if (this.#byEtag.get(etag)?.block === block) this.#byEtag.delete(etag);
    return block.octets;
  }

  #isOld({ block }: Kept): boolean {
    if (this.bytes + this.#blockBytes <= this.#bytes) return false;
    return block.number - (this.#blocks[0]?.number ?? 0) < Math.floor(this.#blocks.length * OLD);
  }
}
