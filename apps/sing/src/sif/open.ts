import { resolve } from 'node:path';
import type { SifImage } from '#libs/sif';
import type { Messages, Surroundings } from '#libs/cli';

/** Exit status of the `sif` verbs for whatever goes wrong (runtime contract §1.6). */
export const SIF_FAILURE = 1;

/** Runs work on an image that is only read. */
export async function withImage<T>(
  { cwd, log }: Pick<Surroundings, 'cwd' | 'log'>,
  file: string,
  work: (image: SifImage, sif: typeof import('#libs/sif')) => Promise<T>,
): Promise<T> {
  const sif = await import('#libs/sif');
  return sif.withSifFile(resolve(cwd, file), async (access) => {
    const image = await sif.readSif(access);
    warnAll(log, sif.imageWarnings(image));
    return work(image, sif);
  });
}

/** Warnings about one image that are shown; a hostile one could have thousands. */
const MOST_WARNINGS = 20;

/** Shows what is odd about an image. */
export function warnAll(log: Pick<Messages, 'warning'>, warnings: readonly string[]): void {
  for (const warning of warnings.slice(0, MOST_WARNINGS)) log.warning(warning);
  if (warnings.length > MOST_WARNINGS)
    log.warning(`and ${warnings.length - MOST_WARNINGS} more warnings about this image`);
}

/** The number of an object as it is typed. NaN, which no object has, for anything else. */
export function objectNumber(text: string): number {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
}
