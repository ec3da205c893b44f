import { printable, type Surroundings } from '#libs/cli';
import type { KeyRing, PgpKey } from '#libs/pgp';
import { keysFolder } from '../folders.js';

/** Exit status when importing, making, pushing, pulling or searching keys fails (runtime contract §1.2). */
export const KEY_FAILURE = 2;
/** Exit status when exporting fails (runtime contract §1.2). */
export const EXPORT_FAILURE = 10;

/** The person's key ring, shared with the stock program. */
export async function openKeyRing(place: Pick<Surroundings, 'env' | 'cwd' | 'log'>): Promise<KeyRing> {
  const { KeyRing } = await import('#libs/pgp');
  return new KeyRing(keysFolder(place), (message) => place.log.warning(message));
}

/** `Ann Lee <ann@example.org> (7605BC27…)`, safe for a terminal. */
export async function titleOf(key: PgpKey): Promise<string> {
  const { fingerprintOf, primaryUserId } = await import('#libs/pgp');
  return `${printable(await primaryUserId(key, new Date()))} (${fingerprintOf(key)})`;
}
