import { resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import type { ChangeContext, FileAccess, SifImage } from '#libs/sif';
import { systemClock } from '#libs/core';

/**
 * Changes an image in place, under its lock. Afterwards the person is told about signatures that the change made
 * worthless: verify would find out, but perhaps somebody else's.
 * @param work returns the image as it is then, and the groups of what was changed (0 is none)
 */
export async function changeImage(
  { cwd, log, signal }: Pick<Surroundings, 'cwd' | 'log' | 'signal'>,
  file: string,
  work: (
    access: FileAccess,
    sif: typeof import('#libs/sif'),
    context: ChangeContext,
  ) => Promise<{ image: SifImage; groups: readonly number[] }>,
): Promise<void> {
  const sif = await import('#libs/sif');
  const { image, groups } = await sif.updateSifFile(resolve(cwd, file), (access) =>
    work(access, sif, { clock: systemClock, signal }),
  );
  for (const group of new Set(groups)) {
    const broken = sif
      .objectsLinkedTo(image, 'group', group)
      .filter(({ type }) => group !== 0 && type === sif.DataType.signature);
    if (broken.length === 0) continue;
    const ids = broken.map(({ id }) => id).join(', ');
    log.warning(
      `Group ${group} is not what was signed any more: signature ${ids} no longer verifies`,
      'Delete it and sign again: sing sif del ID IMAGE, sing sign IMAGE',
    );
  }
}
