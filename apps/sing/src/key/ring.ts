import { join } from 'node:path';
import { type Flags, printable, type Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import type { KeyRing, PgpKey } from '#libs/pgp';
import { keysFolder } from '../folders.js';
import { configurationFolder } from '../installation.js';
import { isTrustedFile } from '../trusted-file.js';

/** Exit status when importing, making, pushing, pulling or searching keys fails (runtime contract §1.2). */
export const KEY_FAILURE = 2;
/** Exit status when exporting fails (runtime contract §1.2). */
export const EXPORT_FAILURE = 10;

/** Where the keys are that all users of an installation trust (SIF contract §2.9). */
export const GLOBAL_RING = 'global-pgp-public';

/** The person's key ring, shared with the stock program. */
export async function openKeyRing(place: Pick<Surroundings, 'env' | 'cwd' | 'log'>): Promise<KeyRing> {
  const { KeyRing } = await import('#libs/pgp');
  return new KeyRing(keysFolder(place), (message) => place.log.warning(message));
}

/** `--global`, of the verbs that work with a key ring. */
export const globalRingFlag = {
  global: {
    type: 'boolean',
    short: 'g',
    summary: 'the keys that all users of this installation trust (root changes them)',
  },
} as const satisfies Flags;

/**
 * The person's key ring, or that of all users: `global-pgp-public` (SIF contract §2.9).
 * @param change it is going to be changed
 * @throws DomainError when others could have put keys into that of all users, or when somebody else than root changes it
 */
export async function openRing(
  place: Pick<Surroundings, 'env' | 'cwd' | 'log'>,
  { global, change }: { readonly global: boolean; readonly change: boolean },
): Promise<KeyRing> {
  if (!global) return openKeyRing(place);
  if (change && process.geteuid?.() !== 0)
    throw new DomainError('forbidden', 'Only root may change the keys that all users trust', {
      reason: 'not_root',
      exitCode: 255,
      remedy: 'Without --global it is your own key ring',
    });
  const folder = configurationFolder();
  await isTrustedFile(join(folder, GLOBAL_RING));
  const { KeyRing } = await import('#libs/pgp');
  return new KeyRing(folder, (message) => place.log.warning(message), true);
}

/** `Ann Lee <ann@example.org> (7605BC27…)`, safe for a terminal. */
export async function titleOf(key: PgpKey): Promise<string> {
  const { fingerprintOf, primaryUserId } = await import('#libs/pgp');
  return `${printable(await primaryUserId(key, new Date()))} (${fingerprintOf(key)})`;
}
