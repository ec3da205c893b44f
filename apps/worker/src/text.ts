/**
 * Makes text out of what programs print: valid UTF-8 whatever the bytes are, and a character that is cut between two chunks is put together again
 * (builder contract §5.2).
 */
export class OutputText {
  readonly #decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

  /** The text of these bytes, as far as its characters are whole. */
  take(chunk: Uint8Array): string {
    return this.#decoder.decode(chunk, { stream: true });
  }

  /** What was left incomplete at the end. */
  end(): string {
    return this.#decoder.decode();
  }
}
