import { DomainError } from '#libs/core';

/** What does not exist, or does not exist for this caller: the same words for both. */
export function missing(kind: 'entity' | 'collection' | 'container' | 'image', name: string): DomainError {
  return new DomainError('not_found', `There is no ${kind} ${name}`, { reason: `${kind}_not_found` });
}
