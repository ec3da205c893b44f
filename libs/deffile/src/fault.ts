import { DomainError } from '#libs/core';

/** An error in the text of a definition file, with the line when it is known. */
export function fault(message: string, line?: number): DomainError {
  return new DomainError('bad_request', line === undefined ? message : `${message} (line ${line})`, {
    reason: 'bad_definition',
  });
}
