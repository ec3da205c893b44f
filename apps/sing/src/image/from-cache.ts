import { DomainError, systemCode, type Digest } from '#libs/core';
import { programMode, type Target } from './transfers.js';

/** Runs what writes into the cache: a disk that is full there is another matter than one that the person has chosen. */
export async function sayingHowToMakeRoom<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DomainError) || error.reason !== 'disk_full') throw error;
    throw new DomainError('out_of_space', error.message, {
      reason: error.reason,
      remedy:
        'Make room with sing cache clean, keep the cache on another disk (SING_CACHEDIR), or pull with --disable-cache',
      cause: error,
    });
  }
}

/** Copies an image out of the cache. @returns whether it was still there */
export async function copied(
  source: string,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  { path: destination, overwrite }: Target,
): Promise<boolean> {
  const { placeCopy } = await import('#libs/client');
  try {
    await placeCopy(source, { destination, digest, size }, { overwrite, mode: programMode() });
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && (error as NodeJS.ErrnoException).path === source) return false;
    throw error;
  }
}
