/** Where text and bytes for programs go: standard output, or a collector in tests. */
export interface Sink {
  write(chunk: string | Uint8Array): boolean;
  once(event: 'drain', listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Standard output of a command. Only results go here; messages go to standard error. */
export class Output {
  readonly #open: () => Sink;

  /** @param open gives the sink; called with everything that is written */
  constructor(open: () => Sink) {
    this.#open = open;
  }

  /** Writes text, or output of another program, as it is. */
  text(text: string | Uint8Array): void {
    this.#open().write(text);
  }

  /**
   * A text from elsewhere with its lines, and a line feed behind it: as it is for programs; on a terminal, which it must not steer,
   * with its control characters made visible.
   */
  foreign(text: string): void {
    const sink = this.#open();
    const shown =
      sink.isTTY === true
        ? text
            .split('\n')
            .map((line) => printable(line.replaceAll('\t', ' '.repeat(8))))
            .join('\n')
        : text;
    sink.write(`${shown}\n`);
  }

  line(text = ''): void {
    this.#open().write(`${text}\n`);
  }

  /** One JSON object, two-space indent, ending with a newline. */
  json(value: unknown): void {
    this.#open().write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** Bytes; resolves when the next chunk is welcome, so that large objects do not pile up in memory. */
  async bytes(chunk: Uint8Array): Promise<void> {
    if (this.#open().write(chunk)) return;
    await new Promise<void>((resolve) => this.#open().once('drain', resolve));
  }

  /** Columns under their titles, two spaces apart. Control characters in cells are made visible. */
  table(titles: readonly string[], rows: readonly (readonly string[])[]): void {
    const cells = [titles, ...rows.map((row) => row.map(printable))];
    const widths = titles.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
    for (const row of cells) {
      const padded = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
      this.line(padded.join('  ').trimEnd());
    }
  }
}

/** Text from elsewhere made safe for a terminal: control characters become their escapes. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001F\u007F-\u009F]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
