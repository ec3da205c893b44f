import { printable } from './output.js';

/** Numeric levels of runtime contract §1.2. */
export const LEVELS = {
  FATAL: -4,
  ERROR: -3,
  WARNING: -2,
  LOG: -1,
  INFO: 1,
  VERBOSE: 2,
  DEBUG: 5,
} as const;
export type LevelName = keyof typeof LEVELS;

const COLOURS: Partial<Record<LevelName, number>> = { FATAL: 31, ERROR: 31, WARNING: 33, INFO: 34 };

export interface MessageOptions {
  readonly write: (text: string) => void;
  readonly level: number;
  /** Asked with the first message. */
  readonly colours: () => boolean;
  /** Columns of debug level: who and which process. */
  readonly uid: number;
  readonly pid: number;
}

/**
 * Messages for people, on standard error: "`LEVEL:` padded to 8 columns + one space + text"; at debug level the colon is
 * dropped and columns with user and process are added (runtime contract §1.2).
 */
export class Messages {
  readonly #options: MessageOptions;
  #coloured: boolean | undefined;

  constructor(options: MessageOptions) {
    this.#options = options;
  }

  get level(): number {
    return this.#options.level;
  }

  /** Whether a message of this level is shown. */
  shows(level: LevelName): boolean {
    return LEVELS[level] <= this.#options.level;
  }

  fatal(text: string, remedy?: string): void {
    this.#say('FATAL', text, remedy);
  }

  error(text: string, remedy?: string): void {
    this.#say('ERROR', text, remedy);
  }

  warning(text: string, remedy?: string): void {
    this.#say('WARNING', text, remedy);
  }

  info(text: string): void {
    this.#say('INFO', text);
  }

  verbose(text: string): void {
    this.#say('VERBOSE', text);
  }

  debug(text: string): void {
    this.#say('DEBUG', text);
  }

  #say(level: LevelName, text: string, remedy?: string): void {
    if (!this.shows(level)) return;
    const { write } = this.#options;
    const head = this.#head(level);
    const code = COLOURS[level];
    const shown =
      code !== undefined && (this.#coloured ??= this.#options.colours())
        ? `\u001B[${code}m${head}\u001B[0m`
        : head;
    const lines = text.split('\n');
    // A remedy and further lines stand under the text, so that one message stays one block.
    if (remedy !== undefined) lines.push(...remedy.split('\n'));
    // What a server, an image or a definition calls itself must not steer the terminal.
    const safe = lines.map((line) => printable(line.replaceAll('\t', ' ')));
    write(`${shown} ${safe.join(`\n${' '.repeat(head.length + 1)}`)}\n`);
  }

  #head(level: LevelName): string {
    if (this.#options.level < LEVELS.DEBUG) return `${level}:`.padEnd(8);
    const who = `[U=${this.#options.uid},P=${this.#options.pid}]`;
    return `${level.padEnd(8)}${who.padEnd(20)}`;
  }
}
