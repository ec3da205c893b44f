import { DomainError, type DomainErrorOptions } from '#libs/core';

/** Something about the words that were typed; exit status 1 (runtime contract §1.2). */
export class UsageError extends DomainError {
  /** The words of the command that they belong to, without the program's name. */
  readonly command: string;

  constructor(command: string, message: string, options: DomainErrorOptions = {}) {
    super('bad_request', message, { reason: 'usage', exitCode: 1, ...options });
    this.command = command;
  }
}

/** The person pressed Ctrl-C, or the process was asked to end. The process ends by the same signal. */
export class Interrupted extends DomainError {
  readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP';

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super('gone', 'Interrupted', { reason: 'interrupted', exitCode: SIGNAL_STATUS[signal] });
    this.signal = signal;
  }
}

/** What a shell shows for a process that died of a signal: 128 and its number. */
const SIGNAL_STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
