import { DomainError } from '#libs/core';

/** "The arch is read from the SIF primary partition; unknown aborts" (library contract §6.1). */
export async function imageArchitecture(path: string): Promise<string> {
  const { readSif, rootPartition, withSifFile } = await import('#libs/sif');
  const architecture = await withSifFile(
    path,
    async (access) => rootPartition(await readSif(access)).architecture,
  );
  if (architecture !== 'unknown') return architecture;
  throw new DomainError('unprocessable', 'The image does not say which architecture it is for', {
    reason: 'unknown_architecture',
  });
}
