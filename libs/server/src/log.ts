import { join } from 'node:path';
import type { LoggerService } from '@nestjs/common';
import { withoutTokens } from '#libs/audit';
import { pino, type Logger, type LoggerOptions } from 'pino';
import { LogFile } from './log-file.js';

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
 * URLs) is replaced by `***`, and so is a token that somebody has put anywhere else.
 */
export function redactUrl(target: string): string {
  return withoutTokens(redactQuery(target));
}

function redactQuery(target: string): string {
  const question = target.indexOf('?');
  if (question === -1) return target;
  let safe = '';
  let kept = 0;
  // Nearly every target has no secret: it is looked through without being taken apart.
  for (let start = question + 1; start <= target.length;) {
    const and = target.indexOf('&', start);
    const end = and === -1 ? target.length : and;
    const equals = target.indexOf('=', start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    const name = target.slice(start, nameEnd);
    if (SECRET_PARAMETER.test(name.includes('%') ? safeDecode(name) : name)) {
      safe += `${target.slice(kept, nameEnd)}=***`;
      kept = end;
    }
    start = end + 1;
  }
  return kept === 0 ? target : safe + target.slice(kept);
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
  timestamp,
  redact: { paths: SECRET_FIELDS, censor: '***' },
});

let millisecond = 0;
let written = '';

/** The time as a member of a line; written out once for all lines of a millisecond. */
function timestamp(): string {
  const now = Date.now();
  if (now !== millisecond) {
    millisecond = now;
    written = `,"time":"${new Date(now).toISOString()}"`;
  }
  return written;
}

const files = new WeakMap<Logger, { readonly file: LogFile; readonly name: string }>();

/** Writes a line that is as {@link Logger} would write it. */
export type PlainLines = (level: 'debug' | 'info', fields: object) => void;

/**
 * For objects whose every field our own code made and knows to be no secret: nothing is looked for in them, which takes most of
 * the time of a line.
 * @param log of {@link createLog} or {@link createServingLog}
 */
export function plainLines(log: Logger): PlainLines {
  const made = files.get(log);
  if (made === undefined) throw new Error('Expected the log of a process');
  const { file, name } = made;
  const base = `,"process":${JSON.stringify(name)},"pid":${process.pid},`;
  const heads = {
    debug: `{"level":${log.levels.values['debug']}`,
    info: `{"level":${log.levels.values['info']}`,
  };
  return (level, fields) => {
    if (log.isLevelEnabled(level))
      file.write(`${heads[level]}${timestamp()}${base}${JSON.stringify(fields).slice(1)}\n`);
  };
}

const fileOf = (name: string, folder: string): string => join(folder, `${name}.log`);

function known(log: Logger, made: { file: LogFile; name: string }): Logger {
  files.set(log, made);
  return log;
}

/** The log of a process: JSON lines in `<folder>/<name>.log` (0600), each on disk before the call returns. */
export function createLog(name: string, level: string, folder: string): Logger {
  const file = new LogFile(fileOf(name, folder), { buffer: 0, delay: 0 });
  return known(pino(options(name, level), file), { file, name });
}

const BUFFER = 64 * 1024;
const DELAY = 250;
const WARNING = 40;

/**
 * The same for a process that serves: a write for each request would cost a third of the requests, so lines are collected for a
 * quarter of a second. Warnings and errors are written at once with what came before them, and everything at the end of the
 * process. SIGHUP opens the file again, for log rotation.
 */
export function createServingLog(name: string, level: string, folder: string): Logger {
  const file = new LogFile(fileOf(name, folder), { buffer: BUFFER, delay: DELAY });
  process.on('SIGHUP', () => file.reopen());
  process.on('exit', () => file.flush());
  const hooks: LoggerOptions['hooks'] = {
    logMethod(args, method, lineLevel) {
      method.apply(this, args);
      if (lineLevel >= WARNING) file.flush();
    },
  };
  return known(pino({ ...options(name, level), hooks }, file), { file, name });
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
