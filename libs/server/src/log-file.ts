import { closeSync, openSync, writeSync } from 'node:fs';

export interface LogFileOptions {
  /** Lines are collected up to this many characters; 0 = each is written at once. */
  readonly buffer: number;
  /** … and at most this long, in milliseconds. */
  readonly delay: number;
}

/** A file (0600) that log lines are appended to. A full disk loses lines and nothing else: the log must not end the server. */
export class LogFile {
  readonly #path: string;
  readonly #options: LogFileOptions;
  #descriptor: number;
  #waiting = '';
  #timer: NodeJS.Timeout | undefined;

  /** @throws the system's error when the file cannot be opened */
  constructor(path: string, options: LogFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#descriptor = openSync(path, 'a', 0o600);
  }

  /** Called by pino with one line and its end. */
  write(line: string): void {
    this.#waiting += line;
    if (this.#waiting.length >= this.#options.buffer) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#options.delay).unref();
  }

  /** Writes what is waiting. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let rest = Buffer.from(this.#waiting);
    this.#waiting = '';
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#descriptor, rest));
    } catch {
      // No space, or the disk is gone: there is no other place to say so.
    }
  }

  /** Opens the path again, after log rotation has renamed the file. Goes on with the old one when that fails. */
  reopen(): void {
    this.flush();
    try {
      const fresh = openSync(this.#path, 'a', 0o600);
      closeSync(this.#descriptor);
      this.#descriptor = fresh;
    } catch {
      // As above.
    }
  }
}
