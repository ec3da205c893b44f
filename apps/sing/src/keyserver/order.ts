import { DomainError, expected } from '#libs/core';
import type { KeyServerEntry } from '../remotes/remote-file.js';

/** Whether two addresses name the same key server. */
export type Same = (a: string, b: string) => boolean;

/**
 * The list with another key server at a place that counts from 1; at the end without one. The remote's own that was taken out comes
 * back (keystore contract §2.1).
 * @throws DomainError when it is there already, or the place is none
 */
export function withAdded(
  list: readonly KeyServerEntry[],
  { uri, order, insecure }: { readonly uri: string; readonly order: number | undefined; insecure: boolean },
  same: Same,
): KeyServerEntry[] {
  const known = list.find((one) => same(one.uri, uri));
  if (known !== undefined && (known.external || !known.skip))
    throw new DomainError('conflict', `${uri} is already configured`, {
      reason: 'exists',
      remedy: `To change it, remove it first: sing keyserver remove ${known.uri}`,
    });
  const asked = list.filter((one) => one !== known && !one.skip);
  const place = order ?? asked.length + 1;
  if (place > asked.length + 1)
    throw new DomainError('bad_request', `order is out of range: maximum is ${asked.length + 1}`, {
      reason: 'bad_order',
    });
  if (place < 1)
    throw new DomainError('bad_request', expected('a number above 0', '--order', place), {
      reason: 'bad_order',
    });
  const added = known ?? { uri, external: true, insecure };
  return [
    ...asked.slice(0, place - 1),
    { ...added, skip: false },
    ...asked.slice(place - 1),
    ...list.filter((one) => one !== known && one.skip),
  ];
}

/**
 * The list without a key server. The remote's own is only marked (keystore contract §2.1).
 * @throws DomainError when it is not in the list, or is the only one
 */
export function withRemoved(list: readonly KeyServerEntry[], uri: string, same: Same): KeyServerEntry[] {
  const asked = list.filter(({ skip }) => !skip);
  const found = asked.find((one) => same(one.uri, uri));
  if (found === undefined)
    throw new DomainError('not_found', `keyserver ${uri} is not configured`, {
      reason: 'unknown_keyserver',
      remedy: 'See which are: sing keyserver list',
    });
  if (asked.length === 1)
    throw new DomainError('conflict', `the primary keyserver ${uri} can't be removed`, {
      reason: 'last_keyserver',
      remedy: 'Add another one first: sing keyserver add URL',
    });
  return list.flatMap((one) => (one === found ? (one.external ? [] : [{ ...one, skip: true }]) : [one]));
}
