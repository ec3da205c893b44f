import type { BuilderConnection } from './builder-connection.js';
import { LIMITS } from './limits.js';

export interface LogLimits {
  readonly logBytes: number;
  /** Milliseconds. */
  readonly heartbeat: number;
}

const NOTHING = new Uint8Array();

/**
 * Sends the log of a build, in batches, one after the other, so that nothing is lost, reordered or sent twice. Learns from the answers whether anybody still
 * wants the build, and asks when there is nothing to send.
 */
export class LogWriter {
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #written = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #failed: unknown;
  readonly #heartbeat: NodeJS.Timeout;

  /**
   * @param offset bytes that are stored already
   * @param onUnwanted called when the build was cancelled, or when its log cannot be kept any more
   */
  constructor(
    private readonly connection: Pick<BuilderConnection, 'append'>,
    private offset: number,
    private readonly onUnwanted: (why: unknown) => void,
    private readonly limits: LogLimits = LIMITS,
  ) {
    this.#heartbeat = setInterval(() => this.#send(true), limits.heartbeat);
  }

  /** Adds text; it is on its way within a few hundredths of a second. */
  write(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length === 0) return;
    if (this.#written + bytes.length > this.limits.logBytes) {
      this.#dropped += bytes.length;
      return;
    }
    this.#written += bytes.length;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= LIMITS.logBatchBytes) this.#send(false);
    else this.#timer ??= setTimeout(() => this.#send(false), LIMITS.logDelay);
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** Resolves when everything is stored. @throws what kept it from being stored */
  async close(): Promise<void> {
    if (this.#dropped > 0) {
      // Said even though the limit is reached: never silently (builder contract §10).
      this.#waiting.push(
        Buffer.from(
          `\n[${this.#dropped} bytes of log are left out: a build may write ${this.limits.logBytes}]\n`,
        ),
      );
    }
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timer);
    await this.#sending;
    this.#send(false);
    await this.#sending;
    if (this.#failed !== undefined) throw this.#failed;
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

/** The build was cancelled, or ended by somebody else: whatever this worker does is in vain. */
export class Unwanted extends Error {
  override readonly name = 'Unwanted';

  constructor() {
    super('Nobody wants this build any more');
  }
}
