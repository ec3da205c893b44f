import { DomainError } from '#libs/core';

/**
 * What is wrong with an image or with what was asked of it. Messages begin with the words that other tools of the
 * field use for the same fault, so that scripts which look for them keep working.
 */
export function sifError(reason: string, message: string, remedy?: string): DomainError {
  return new DomainError('unprocessable', message, { reason, ...(remedy === undefined ? {} : { remedy }) });
}

/** Nothing in the image is what was asked for. */
export function notFound(message: string): DomainError {
  return new DomainError('not_found', message, { reason: 'sif_object_not_found' });
}
