import { DomainError } from '#libs/core';

/** Characters of a message: what it quotes of the definition may be as long as the definition. */
const LONGEST = 500;

/** An error in the text of a definition file, with the line when it is known. */
export function fault(message: string, line?: number, remedy?: string): DomainError {
  const shown = message.length > LONGEST ? `${message.slice(0, LONGEST)}…` : message;
  return new DomainError('bad_request', line === undefined ? shown : `${shown} (line ${line})`, {
    reason: 'bad_definition',
    ...(remedy !== undefined && { remedy }),
  });
}
