import { formatSize, type Surroundings } from '#libs/cli';
import type { ManagedPath } from '#libs/client';

export interface RetainFlags {
  readonly apply: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

/** Whether to go on: a person is asked before anything is removed. */
export async function confirmed(
  { prompts, log }: Surroundings,
  path: ManagedPath,
  { apply, force }: RetainFlags,
  { removed, bytes }: { readonly removed: number; readonly bytes: number },
): Promise<boolean> {
  if (!apply || force || removed === 0) return true;
  const message = `Remove ${removed} images (${formatSize(bytes)}) of ${path.join('/')}?`;
  if (await prompts.confirm({ message, flag: '--force' })) return true;
  log.info('Nothing was removed.');
  return false;
}
