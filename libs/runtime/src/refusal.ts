import { DomainError } from '#libs/core';

/** Exit status of everything that goes wrong before the payload runs (runtime contract §1.2). */
export const STATUS_FATAL = 255;
/** Exit status of a command line that is not understood. */
export const STATUS_USAGE = 1;

/** A launch that is refused: the program prints the sentence at level FATAL (with the remedy under it) and ends with 255. */
export function refusal(message: string, remedy?: string): DomainError {
  return new DomainError('bad_request', message, {
    reason: 'launch_refused',
    exitCode: STATUS_FATAL,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** A command line that is not understood: printed without level, with a hint at the help, status 1. */
export function usageError(command: string, message: string): DomainError {
  return new DomainError('bad_request', `Error for command "${command}": ${message}`, {
    reason: 'usage',
    exitCode: STATUS_USAGE,
  });
}

/** Something that exists in the field but not in this version: never ignored in silence. */
export function notOffered(what: string, remedy?: string): DomainError {
  return new DomainError('not_implemented', `${what} is not offered by this version`, {
    reason: 'not_offered',
    exitCode: STATUS_FATAL,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
