import { join } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { claimFolder, removeFolder } from './claimed.js';
import { sandboxDestination } from './destination.js';
import { buildLocally, type LocalBuild } from './local.js';
import { buildRemotely, type RemoteBuild } from './remote.js';

/** Builds at the remote, and makes a folder of the image here (builder contract case 76). */
export async function buildRemoteSandbox(
  place: Surroundings,
  build: RemoteBuild & LocalBuild,
): Promise<void> {
  const { flags } = build;
  if (flags.detached)
    throw new DomainError('bad_request', '--sandbox goes without --detached: a folder is made here', {
      reason: 'invalid_destination',
      remedy: 'Leave one of the two out',
    });
  if (build.output.startsWith('library://'))
    throw new DomainError(
      'bad_request',
      '--sandbox makes a folder on this machine, not an image of a library',
      {
        reason: 'invalid_destination',
        remedy: 'Name a folder, or leave --sandbox out',
      },
    );
  await sandboxDestination(place, build.output, flags.force);
  const claimed = await claimFolder(place, 'sing-remote-');
  try {
    const image = join(claimed.path, 'image.sif');
    await buildRemotely(place, { ...build, output: image });
    // What comes from elsewhere is unpacked in the enclosure of a build alone. It was asked already.
    await buildLocally(place, { ...build, source: image, flags: { ...flags, force: true } });
  } finally {
    await removeFolder(place, claimed);
  }
}
