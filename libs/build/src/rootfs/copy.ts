import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { RootTree } from '#libs/core';
import { buildFailure } from '../failure.js';

export interface CopyOptions {
  /** Links inside a copied directory: followed for files of the host, kept for files of a stage (definition contract §6.1). */
  readonly followLinks: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Copies a file or a directory into the tree. Owners are those of the build, modes are kept without setuid and setgid for files of the host.
 * @param source absolute path that was checked by the caller; a link at its end is followed
 * @param destination path in the tree; a trailing `/` makes it a directory, an existing directory is copied into
 * @throws DomainError when a source is neither file, directory nor link
 */
export async function copyInto(
  tree: RootTree,
  source: string,
  name: string,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  const stats = await stat(source);
  const existing = await tree.stat(destination);
  const into = destination.endsWith('/') || existing?.isDirectory() === true;
  if (destination.endsWith('/') && existing === undefined) await tree.directory(destination);
  await copyEntry(tree, source, stats, into ? join(destination, basename(name)) : destination, options);
}

async function copyEntry(
  tree: RootTree,
  source: string,
  stats: Stats,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  if (stats.isDirectory()) {
    await tree.directory(destination, stats.mode & 0o777);
    for (const name of await readdir(source)) {
      const child = join(source, name);
      const childStats = options.followLinks ? await stat(child) : await lstat(child);
      await copyEntry(tree, child, childStats, join(destination, name), options);
    }
  } else if (stats.isSymbolicLink()) {
    await tree.link(destination, await readlink(source));
  } else if (stats.isFile()) {
    await copyFile(tree, source, stats, destination, options.signal);
  } else {
    throw buildFailure(`Expected a file, a directory or a link to copy, got something else at ${source}`);
  }
}

async function copyFile(
  tree: RootTree,
  source: string,
  stats: Stats,
  destination: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  // O_NONBLOCK: the file could have become a FIFO since it was looked at.
  const from = await open(source, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const to = await tree.create(destination, stats.mode & 0o777);
    await pipeline(
      from.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }),
      to.createWriteStream(),
      { signal },
    );
  } finally {
    await from.close();
  }
}
