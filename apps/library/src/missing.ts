import { DomainError } from '#libs/core';

/**
 * The id of nothing. Where nothing was found it is looked up in the place of what could have been: what does not exist takes as
 * many steps as what does not exist for this caller, so that time tells nothing.
 */
export const NOTHING = '0'.repeat(24);

/** What does not exist, or does not exist for this caller: the same words for both. */
export function missing(
  kind: 'entity' | 'collection' | 'container' | 'image' | 'tag',
  name: string,
): DomainError {
  return new DomainError('not_found', `There is no ${kind} ${name}`, { reason: `${kind}_not_found` });
}
