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

/** What an entry takes beside its two texts, about. */
const ENTRY_BYTES = 400;

/**
 * Finished answers of `op=get` by the handle that they were asked by, within a bound of bytes. Two generations: what is asked
 * for again moves to the young one; when that has half of the bytes it becomes the old one, and the old one goes.
 *
 * Nothing that was changed is given out: whoever changes a certificate lets go of the answers of all its handles, those that it
 * had and those that it has, before the change is acknowledged. An answer that was being read meanwhile is not taken in.
 */
export class Answers {
  readonly #half: number;
  #young = new Map<string, Answer>();
  #old = new Map<string, Answer>();
  #youngBytes = 0;
  #changes = 0;

  /** @param bytes of all answers together; 0 = none is kept */
  constructor(bytes: number) {
    this.#half = bytes / 2;
  }

  get(handle: string): Answer | undefined {
    const young = this.#young.get(handle);
    if (young !== undefined) return young;
    const old = this.#old.get(handle);
    if (old !== undefined) this.#add(handle, old);
    return old;
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
    for (const handle of handles) {
      const young = this.#young.get(handle);
      if (young !== undefined) this.#youngBytes -= sizeOf(handle, young);
      this.#young.delete(handle);
      this.#old.delete(handle);
    }
  }

  #add(handle: string, answer: Answer): void {
    const bytes = sizeOf(handle, answer);
    if (bytes > this.#half || this.#young.has(handle)) return;
    if (this.#youngBytes + bytes > this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(handle, answer);
    this.#youngBytes += bytes;
  }
}

/** Handles may be in any script; answers are ASCII. */
const sizeOf = (handle: string, { body }: Answer): number => handle.length * 2 + body.length + ENTRY_BYTES;
