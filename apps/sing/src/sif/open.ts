import { resolve } from 'node:path';
import type { SifImage } from '#libs/sif';
import type { Surroundings } from '#libs/cli';

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
    for (const warning of sif.imageWarnings(image)) log.warning(warning);
    return work(image, sif);
  });
}

/** The number of an object as it is typed. NaN, which no object has, for anything else. */
export function objectNumber(text: string): number {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
}
