import type { Flags } from '#libs/cli';
import type { LibraryEventKind } from '#libs/contract';
import { DomainError, expected } from '#libs/core';

/** Which events. */
export const kindFlag = {
  kind: {
    type: 'list',
    value: 'KIND',
    commas: true,
    summary:
      'only such events, for example image.push, or image for all that begin so; all of them when absent',
  },
} as const satisfies Flags;

/**
 * Kinds that were given, each by its name or by the word before the dot.
 * @throws DomainError `bad_request` for what there is not, with all that there is
 */
export async function kindsIn(given: readonly string[]): Promise<LibraryEventKind[]> {
  const { LIBRARY_EVENT_KINDS } = await import('#libs/contract');
  return given.flatMap((word) => {
    const found = LIBRARY_EVENT_KINDS.filter((kind) => kind === word || kind.startsWith(`${word}.`));
    if (found.length > 0) return found;
    throw new DomainError('bad_request', expected('a kind of event', '--kind', word), {
      reason: 'invalid_kind',
      remedy: `There are: ${LIBRARY_EVENT_KINDS.join(', ')}`,
    });
  });
}
