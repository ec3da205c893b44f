import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ScsConfig } from '#libs/config';

/** Writes lines of the supervisor's own log, in the shape of the other logs; in the foreground also on stderr. */
export class SupervisorLog {
  readonly #file: string;
  readonly #foreground: boolean;

  constructor(config: ScsConfig, foreground: boolean) {
    this.#file = join(config.logFolder, 'supervisor.log');
    this.#foreground = foreground;
  }

  info(message: string): void {
    this.#write(30, message);
  }

  error(message: string): void {
    this.#write(50, message);
  }

  #write(level: number, message: string): void {
    const line = {
      level,
      time: new Date().toISOString(),
      process: 'supervisor',
      pid: process.pid,
      msg: message,
    };
    if (this.#foreground) process.stderr.write(`${message}\n`);
    try {
      appendFileSync(this.#file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not end the instance because its supervisor cannot write about it.
    }
  }
}
