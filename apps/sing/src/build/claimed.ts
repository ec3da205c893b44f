import type { Surroundings } from '#libs/cli';
import type { ClaimedFolder } from '#libs/build';
import { messageOf } from '#libs/core';
import { usableTemporaryFolder } from '../folders.js';

/** Says what of a folder could not be removed. */
export const tellsWhatStays =
  ({ log }: Pick<Surroundings, 'log'>) =>
  (path: string, error: unknown): void =>
    log.verbose(`${path} stays: ${messageOf(error)}`);

/**
 * A private folder for what a build makes on its way to the destination. What builds that were killed have left there is removed.
 * @param prefix what the names of such folders begin with
 */
export async function claimFolder(place: Surroundings, prefix: string): Promise<ClaimedFolder> {
  const { ClaimedFolder } = await import('#libs/build');
  const parent = await usableTemporaryFolder(place);
  return ClaimedFolder.claim({ parent, prefix, onStays: tellsWhatStays(place) });
}

/** Removes it, or says that it stays. */
export async function removeFolder({ log }: Surroundings, folder: ClaimedFolder): Promise<void> {
  try {
    await folder.remove();
  } catch (error) {
    log.warning(`The work folder ${folder.path} could not be removed: ${messageOf(error)}`);
  }
}
