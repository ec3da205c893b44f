import type { Bytes } from '../plan.js';
import { refusal } from '../refusal.js';

/** One overlay of the caller. The path is still as it was written. */
export interface OverlayRequest {
  readonly path: Bytes;
  readonly readOnly: boolean;
}

/** Most overlays of one launch: the kernel takes more layers, but nobody has that many. */
const MOST_OVERLAYS = 32;

/**
 * Reads the values of `--overlay` (runtime contract §1.4): `PATH[:ro]`, comma separated. A colon elsewhere belongs to the path.
 * @throws DomainError (status 255)
 */
export function parseOverlays(values: readonly Bytes[]): readonly OverlayRequest[] {
  const words = values.flatMap((value) => value.split(',').filter((word) => word !== ''));
  if (words.length > MOST_OVERLAYS)
    throw refusal(`expected at most ${MOST_OVERLAYS} overlays, got ${words.length}`);
  return words.map((word) => {
    const option = [':ro', ':rw'].find((end) => word.endsWith(end));
    const path = option === undefined ? word : word.slice(0, -option.length);
    if (path === '') throw refusal(`expected PATH[:ro] for --overlay, got "${word}"`);
    return { path, readOnly: option === ':ro' };
  });
}
