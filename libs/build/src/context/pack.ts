import { createHash } from 'node:crypto';
import { constants, createReadStream, type Stats } from 'node:fs';
import { lstat, open, readdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { type Digest, digestFromHex, messageOf, systemCode } from '#libs/core';
import type { Definition } from '#libs/deffile';
import { buildFailure } from '../failure.js';
import { expandPattern } from '../rootfs/glob.js';

export interface PackContext {
  readonly definition: Definition;
  /** Absolute; relative sources are relative to it. */
  readonly workingDirectory: string;
  /** Where the archive is written; it must not exist. */
  readonly output: string;
  readonly signal: AbortSignal | undefined;
}

/** A packed build context, ready to be announced. */
export interface PackedContext {
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
  open(): Readable;
}

/**
 * Packs what `%files` of a definition wants of this machine into a gzipped tar (builder contract §3.11): absolute paths without their first slash,
 * parent directories as entries, directories walked fully, links to regular files followed, each path once.
 * @returns undefined when the definition wants nothing
 * @throws DomainError when a pattern matches nothing, or something is neither file nor directory
 */
export async function packContext({
  definition,
  workingDirectory,
  output,
  signal,
}: PackContext): Promise<PackedContext | undefined> {
  const patterns = hostPatterns(definition);
  if (patterns.length === 0) return undefined;
  const packer = new ContextPacker(signal);
  const file = await open(output, 'wx', 0o600);
  const hash = createHash('sha256');
  let size = 0;
  const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  const [packed, written] = await Promise.allSettled([
    packer.packAll(patterns, workingDirectory),
    pipeline(
      packer.archive,
      createGzip({ level: 1 }),
      count,
      file.createWriteStream(),
      signal === undefined ? {} : { signal },
    ),
  ]);
  signal?.throwIfAborted();
  for (const result of [packed, written]) if (result.status === 'rejected') throw result.reason;
  return {
    path: output,
    size,
    digest: digestFromHex(hash.digest('hex')),
    open: () => createReadStream(output, { highWaterMark: 1024 * 1024 }),
  };
}

/** Sources of all `%files` blocks that do not name a stage; empty ones are left to the build, which warns of them. */
function hostPatterns(definition: Definition): string[] {
  const blocks = definition.stages
    .flatMap((stage) => stage.files)
    .filter((block) => block.stage === undefined);
  return [
    ...new Set(
      blocks.flatMap((block) => block.files.map((file) => file.source)).filter((source) => source !== ''),
    ),
  ];
}

class ContextPacker {
  readonly archive: Pack = pack();
  readonly #packed = new Set<string>();

  constructor(private readonly signal: AbortSignal | undefined) {}

  async packAll(patterns: readonly string[], workingDirectory: string): Promise<void> {
    try {
      for (const pattern of patterns) {
        const absolute = isAbsolute(pattern) ? pattern : join(workingDirectory, pattern);
        const matches = await expandPattern(absolute, exists, async (path) => path);
        if (matches.length === 0)
          throw buildFailure(`${pattern}: file does not exist`, {
            remedy: 'Sources of %files are relative to the directory in which you build.',
          });
        for (const match of matches) await this.#pack(match, []);
      }
      this.archive.finalize();
    } catch (error) {
      this.archive.destroy(error instanceof Error ? error : new Error(messageOf(error)));
      throw error;
    }
  }

  /** @param above the directories that are being packed, by device and inode */
  async #pack(path: string, above: readonly string[]): Promise<void> {
    this.signal?.throwIfAborted();
    if (this.#packed.has(path)) return;
    const stats = await stat(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
    await this.#parents(dirname(path));
    this.#packed.add(path);
    if (stats.isDirectory()) {
      const here = `${stats.dev}:${stats.ino}`;
      if (above.includes(here))
        throw buildFailure(`${path} is a link to a directory above it, and has no end`, {
          remedy: NAME_FILES,
        });
      await this.#entry(path, stats, 'directory');
      const names = await readdir(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
      for (const name of names.sort()) await this.#pack(join(path, name), [...above, here]);
    } else if (stats.isFile()) await this.#file(path, stats);
    else throw buildFailure(`unsupported file type: ${path}`, { remedy: NAME_FILES });
  }

  async #parents(path: string): Promise<void> {
    if (path === '/' || this.#packed.has(path)) return;
    await this.#parents(dirname(path));
    this.#packed.add(path);
    await this.#entry(path, await stat(path), 'directory');
  }

  #entry(path: string, stats: Stats, type: 'directory'): Promise<void> {
    return new Promise((resolve, reject) => {
      this.archive.entry(headerOf(path, stats, type), (error) => (error ? reject(error) : resolve()));
    });
  }

  async #file(path: string, stats: Stats): Promise<void> {
    // O_NONBLOCK: it may have become a FIFO since it was looked at.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) =>
      Promise.reject(unreadable(path, cause)),
    );
    try {
      const { size } = await file.stat();
      const header = { ...headerOf(path, stats, 'file'), size };
      if (size === 0) {
        this.archive.entry(header, '');
        return;
      }
      // What grows meanwhile is cut at the size that was announced; what shrinks is an error of the archive.
      const content = file.createReadStream({ autoClose: false, end: size - 1, highWaterMark: 1024 * 1024 });
      await pipeline(content, this.archive.entry(header));
    } finally {
      await file.close();
    }
  }
}

const NAME_FILES = 'Name in %files only what the image needs, or remove it.';

function unreadable(path: string, cause: unknown): Error {
  const code = systemCode(cause);
  if (code === 'ENOENT')
    return buildFailure(`${path} is a link that leads to nothing`, { cause, remedy: NAME_FILES });
  if (code === 'EACCES')
    return buildFailure(`${path} may not be read by you`, {
      cause,
      remedy: 'Change its mode, or leave it out of %files.',
    });
  return buildFailure(`${path} cannot be read: ${messageOf(cause)}`, { cause, remedy: NAME_FILES });
}

const headerOf = (path: string, stats: Stats, type: 'directory' | 'file') => ({
  name: type === 'directory' ? `${path.slice(1)}/` : path.slice(1),
  mode: stats.mode & 0o7777,
  mtime: stats.mtime,
  type,
});

const exists = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined)) !== undefined;
