import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, type RootTree, systemCode } from '#libs/core';
import { buildFailure } from '../failure.js';

export interface CopyOptions {
  /** Where the source is. Links in it are read as what lives in it would read them, and never lead out of it. */
  readonly from: RootTree;
  /** Links inside a copied directory: followed for files of the host, kept for files of a stage (definition contract §6.1). */
  readonly followLinks: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Copies a file or a directory into the tree. Owners are those of the build, modes are kept without setuid and setgid.
 * @param source path in the tree it comes from; a link at its end is followed
 * @param destination path in the tree; a trailing `/` makes it a directory, an existing directory is copied into
 * @throws DomainError when a source is missing, is neither file, directory nor link, or holds a link to a directory above it
 */
export async function copyInto(
  tree: RootTree,
  source: string,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  const existing = await tree.stat(destination);
  const into = destination.endsWith('/') || existing?.isDirectory() === true;
  if (destination.endsWith('/') && existing === undefined) await tree.directory(destination);
  const place = into ? join(destination, basename(source)) : destination;
  try {
    await new Copy(tree, options).entry(source, place, true, []);
  } catch (error) {
    // A directory where a file is, or the reverse: the author's to mend, and no bug.
    if (!IN_THE_WAY.has(systemCode(error) ?? '')) throw error;
    throw buildFailure(`while copying ${source} to ${destination}: ${messageOf(error)}`, {
      cause: error,
      remedy: 'Choose another destination in %files: something of another kind is there.',
    });
  }
}

const IN_THE_WAY: ReadonlySet<string> = new Set(['EEXIST', 'ENOTDIR', 'EISDIR', 'ERR_FS_EISDIR']);

class Copy {
  constructor(
    private readonly tree: RootTree,
    private readonly options: CopyOptions,
  ) {}

  /** @param above the real paths of the directories that are being copied */
  async entry(source: string, destination: string, follow: boolean, above: readonly string[]): Promise<void> {
    this.options.signal?.throwIfAborted();
    const { from } = this.options;
    const real = await from.resolve(source, follow);
    const stats = await lstat(real).catch((cause: unknown) => {
      throw buildFailure(`while copying ${source}: it leads to nothing, or cannot be read`, { cause });
    });
    if (stats.isDirectory()) await this.#directory(source, real, stats, destination, above);
    else if (stats.isSymbolicLink()) await this.tree.link(destination, await readlink(real));
    else if (stats.isFile()) await this.#file(real, stats, destination);
    else
      throw buildFailure(`Expected a file, a directory or a link to copy, got something else at ${source}`);
  }

  async #directory(
    source: string,
    real: string,
    stats: Stats,
    destination: string,
    above: readonly string[],
  ): Promise<void> {
    if (above.includes(real))
      throw buildFailure(`while copying ${source}: it is a link to a directory above it, and has no end`, {
        remedy: 'Name the files that you need in %files, or remove the link.',
      });
    await this.tree.directory(destination, stats.mode & 0o777);
    // From here on by the real path: each link is followed once.
    const inside = real.slice(this.options.from.root.length);
    for (const name of await readdir(real))
      await this.entry(`${inside}/${name}`, join(destination, name), this.options.followLinks, [
        ...above,
        real,
      ]);
  }

  async #file(real: string, stats: Stats, destination: string): Promise<void> {
    // O_NONBLOCK and O_NOFOLLOW: the file could have become something else since it was looked at.
    const from = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const to = await this.tree.create(destination, stats.mode & 0o777);
      await pipeline(
        from.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }),
        to.createWriteStream(),
        { signal: this.options.signal },
      );
    } finally {
      await from.close();
    }
  }
}
