import { join } from 'node:path';
import type { LoggerService } from '@nestjs/common';
import { destination, pino, type Logger, type LoggerOptions } from 'pino';

/** Injection token of the process's pino logger. */
export const LOG = Symbol('LOG');
export type { Logger };

/** Header and body fields that carry a secret, wherever an object with them is logged. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'token',
  'password',
  'secret',
  'headers.authorization',
  'headers.cookie',
  '*.authorization',
  '*.token',
  '*.password',
  '*.secret',
];

const SECRET_PARAMETER = /^(?:auth_token|access_token|token|sig|signature|secret|password|key|x-amz-.*)$/i;

/**
 * The request target as it may be logged: what signs a URL or carries a token (`?auth_token=`, signed upload and download
 * URLs) is replaced by `***`.
 */
export function redactUrl(target: string): string {
  const question = target.indexOf('?');
  if (question === -1) return target;
  const pairs = target
    .slice(question + 1)
    .split('&')
    .map((pair) => {
      const [name = ''] = pair.split('=', 1);
      return SECRET_PARAMETER.test(safeDecode(name)) ? `${name}=***` : pair;
    });
  return `${target.slice(0, question)}?${pairs.join('&')}`;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const options = (name: string, level: string): LoggerOptions => ({
  level,
  base: { process: name, pid: process.pid },
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  redact: { paths: SECRET_FIELDS, censor: '***' },
});

/**
 * The log of a process: JSON lines in `<folder>/<name>.log` (0600).
 * @param reopenOn a signal that opens the file again, for log rotation
 */
export function createLog(name: string, level: string, folder: string, reopenOn?: NodeJS.Signals): Logger {
  // Synchronous: a line that was logged before a crash is on disk, and lines are short.
  const sink = destination({ dest: join(folder, `${name}.log`), append: true, mode: 0o600, sync: true });
  if (reopenOn !== undefined) process.on(reopenOn, () => sink.reopen());
  return pino(options(name, level), sink);
}

/** Hands Nest's own messages to pino; its start-up chatter is `debug`. */
export class NestLog implements LoggerService {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log.child({ from: 'nest' });
  }

  log(message: unknown): void {
    this.#log.debug(String(message));
  }

  debug(message: unknown): void {
    this.#log.trace(String(message));
  }

  verbose(message: unknown): void {
    this.#log.trace(String(message));
  }

  warn(message: unknown): void {
    this.#log.warn(String(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.#log.error({ details: rest.map(String) }, String(message));
  }

  fatal(message: unknown): void {
    this.#log.fatal(String(message));
  }
}
