import type { BuilderConnection } from './builder-connection.js';
import { LIMITS } from './limits.js';

export interface LogLimits {
  readonly logBytes: number;
  readonly logEndBytes: number;
  /** Milliseconds. */
  readonly heartbeat: number;
}

const NOTHING = new Uint8Array();

/**
 * Sends the log of a build, in batches, one after the other, so that nothing is lost, reordered or sent twice. Learns from the answers whether anybody still
 * wants the build, and asks when there is nothing to send. A log that becomes too long loses its middle: how it began and how it ended is kept.
 */
export class LogWriter {
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #written: number;
  /** The last of what came when the log was full. */
  readonly #end: Uint8Array[] = [];
  #endBytes = 0;
  #dropped = 0;
  #atLineStart = true;
  #timer: NodeJS.Timeout | undefined;
  /** When something was sent last, of `performance.now()`. */
  #sentAt = -Infinity;
  #sending: Promise<void> | undefined;
  #failed: unknown;
  readonly #heartbeat: NodeJS.Timeout;

  /**
   * @param offset bytes that are stored already, of earlier tries
   * @param onUnwanted called when the build was cancelled, or when its log cannot be kept any more
   */
  constructor(
    private readonly connection: Pick<BuilderConnection, 'append'>,
    private offset: number,
    private readonly onUnwanted: (why: unknown) => void,
    private readonly limits: LogLimits = LIMITS,
  ) {
    this.#written = offset;
    this.#heartbeat = setInterval(() => this.#send(true), limits.heartbeat);
  }

  /** Adds text. After a pause it is on its way at once, what follows it within a few hundredths of a second. */
  write(text: string): void {
    if (text === '') return;
    this.#atLineStart = text.endsWith('\n');
    const bytes = Buffer.from(text, 'utf8');
    const full = this.#endBytes > 0 || this.#written + bytes.length > this.limits.logBytes;
    if (full) {
      if (this.#endBytes === 0)
        this.#put(
          Buffer.from(
            `\n[The log is as long as it may be (${this.limits.logBytes} bytes): only its end follows]\n`,
          ),
        );
      this.#keepEnd(bytes);
    } else this.#put(bytes);
  }

  /** A line of its own, whatever was written before. */
  line(text: string): void {
    this.write(`${this.#atLineStart ? '' : '\n'}${text}\n`);
  }

  /** Resolves when everything is stored. @throws what kept it from being stored */
  async close(): Promise<void> {
    if (this.#endBytes > 0) {
      // Said, never silent (builder contract §10).
      if (this.#dropped > 0) this.#put(Buffer.from(`[${this.#dropped} bytes are left out here]\n`));
      this.#put(fromWholeCharacter(Buffer.concat(this.#end)));
    }
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timer);
    await this.#sending;
    this.#send(false);
    await this.#sending;
    if (this.#failed !== undefined) throw this.#failed;
  }

  #put(bytes: Uint8Array): void {
    this.#written += bytes.length;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= LIMITS.logBatchBytes) this.#send(false);
    else this.#timer ??= setTimeout(() => this.#send(false), this.#delay());
  }

  /** Whoever follows the log shall see at once that something happens; many lines after each other are sent together. */
  #delay(): number {
    return Math.max(0, Math.min(LIMITS.logDelay, this.#sentAt + LIMITS.logDelay - performance.now()));
  }

  #keepEnd(bytes: Uint8Array): void {
    this.#end.push(bytes);
    this.#endBytes += bytes.length;
    for (let [first] = this.#end; first !== undefined; [first] = this.#end) {
      const over = this.#endBytes - this.limits.logEndBytes;
      if (over <= 0) return;
      const cut = Math.min(over, first.length);
      this.#dropped += cut;
      this.#endBytes -= cut;
      if (cut === first.length) this.#end.shift();
      else this.#end[0] = first.subarray(cut);
    }
  }

  #send(heartbeat: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (
      this.#sending !== undefined ||
      this.#failed !== undefined ||
      (this.#waiting.length === 0 && !heartbeat)
    )
      return;
    this.#sending = this.#drain().finally(() => {
      this.#sending = undefined;
    });
  }

  async #drain(): Promise<void> {
    try {
      do {
        const batch = this.#waiting.length === 0 ? NOTHING : Buffer.concat(this.#waiting.splice(0));
        this.#waitingBytes = 0;
        for (let at = 0; at === 0 || at < batch.length; at += LIMITS.logBatchBytes) {
          const part = batch.subarray(at, at + LIMITS.logBatchBytes);
          if (part.length > 0) this.#sentAt = performance.now();
          const { wanted } = await this.connection.append(this.offset, part);
          this.offset += part.length;
          if (!wanted) throw new Unwanted();
        }
      } while (this.#waiting.length > 0);
    } catch (error) {
      this.#failed = error;
      clearInterval(this.#heartbeat);
      this.onUnwanted(error);
    }
  }
}

/** The bytes from the first on that begins a character of UTF-8. */
function fromWholeCharacter(bytes: Buffer): Buffer {
  let at = 0;
  while (at < bytes.length && at < 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at += 1;
  return bytes.subarray(at);
}

/** The build was cancelled, or ended by somebody else: whatever this worker does is in vain. */
export class Unwanted extends Error {
  override readonly name = 'Unwanted';

  constructor() {
    super('Nobody wants this build any more');
  }
}
