import { lstat, mkdir, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DomainError, systemCode } from '#libs/core';
import { readSif, rootPartition, withSifFile } from '#libs/sif';
import { ClaimedFolder, type ClaimedFolderOptions } from './claimed-folder.js';
import type { BuildLog } from './log.js';
import { unpackSquashfs } from './squashfs.js';

export interface SandboxRequest {
  /** A SIF file that was built here: its squashfs is our own, whatever it was made from. */
  readonly image: string;
  /** Where the folder goes; it appears there whole or not at all, and replaces what {@link mayReplace} allows. */
  readonly destination: string;
  readonly log: BuildLog;
  readonly onStays: ClaimedFolderOptions['onStays'];
  readonly signal: AbortSignal | undefined;
}

/**
 * Unpacks an image into a folder (runtime contract §1.6, `--sandbox`). Its files belong to the caller, as in the stock programs
 * without privilege; root gets the owners of the image.
 * @throws DomainError; then the destination is as it was
 */
export async function placeSandbox(request: SandboxRequest): Promise<void> {
  const { image, destination, log, onStays, signal } = request;
  const offset = await withSifFile(
    image,
    async (access) => rootPartition(await readSif(access)).descriptor.offset,
  );
  // Beside the destination, so that a rename brings it there. What a killed build leaves, the next one there removes.
  const claimed = await ClaimedFolder.claim({
    parent: dirname(destination),
    prefix: '.sing-sandbox-',
    onStays,
  });
  try {
    const fresh = join(claimed.path, basename(destination));
    await mkdir(fresh, { mode: 0o755 });
    await unpackSquashfs(image, Number(offset), fresh, { log, signal });
    signal?.throwIfAborted();
    await replace(fresh, destination, join(claimed.path, 'old'));
  } finally {
    await claimed.remove();
  }
}

/** What was at the destination goes into the claimed folder, and with it. */
async function replace(fresh: string, destination: string, old: string): Promise<void> {
  const wasThere = await mayReplace(destination);
  if (wasThere) await rename(destination, old);
  try {
    await rename(fresh, destination);
  } catch (error) {
    if (wasThere) await rename(old, destination);
    throw error;
  }
}

/**
 * Whether there is something at a path that a sandbox may take the place of: a container's folder, an empty one, or a file.
 * False: nothing is there.
 * @throws DomainError `conflict` for every other folder: it is no image, so `--force` does not speak of it
 */
export async function mayReplace(path: string): Promise<boolean> {
  const there = await lstat(path).catch(nothing);
  if (there === undefined) return false;
  if (!there.isDirectory()) return true;
  const metadata = await lstat(join(path, '.singularity.d')).catch(nothing);
  if (metadata?.isDirectory() === true || (await readdir(path)).length === 0) return true;
  throw new DomainError('conflict', `${path} is a folder, but no container: nothing in it is removed`, {
    reason: 'no_sandbox',
    remedy: 'Choose another place, or remove it yourself',
    exitCode: 255,
  });
}

function nothing(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT') return undefined;
  throw error;
}
