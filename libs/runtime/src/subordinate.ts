import { parseCount, trimBytes } from './bytes.js';
import type { IdRangeStart } from './facts.js';
import type { Bytes } from './plan.js';

/** Ids that a fakeroot container has beside its root (runtime contract §0.1 D1, §3.7). */
export const SUBORDINATE_COUNT = 65536;
const IDS = 2 ** 32;

export type SubordinateEntry =
  { readonly kind: 'range'; readonly range: IdRangeStart } | { readonly kind: 'none' | 'disabled' | 'small' };

/**
 * The range of one user in a file like /etc/subuid: an entry of exactly 65536 ids first, a larger one second, smaller ones count as
 * too small. Lines that are not `name-or-uid:start:count` are skipped; a leading `!` means disabled by the administrator.
 */
export function findSubordinate(content: Bytes, name: Bytes | null, uid: number): SubordinateEntry {
  let larger: IdRangeStart | null = null;
  let disabled = false;
  let small = false;
  for (const line of content.split('\n')) {
    const [owner = '', start = '', count = '', ...more] = trimBytes(line).split(':');
    const off = owner.startsWith('!');
    const who = off ? owner.slice(1) : owner;
    if (more.length > 0 || who === '' || (who !== name && who !== String(uid))) continue;
    const outside = parseCount(start);
    const size = parseCount(count);
    if (outside === null || size === null || size === 0 || outside + size > IDS) continue;
    if (off) disabled = true;
    else if (size < SUBORDINATE_COUNT) small = true;
    else if (size === SUBORDINATE_COUNT) return { kind: 'range', range: { outside, count: size } };
    else larger ??= { outside, count: SUBORDINATE_COUNT };
  }
  if (larger !== null) return { kind: 'range', range: larger };
  if (disabled) return { kind: 'disabled' };
  return { kind: small ? 'small' : 'none' };
}
