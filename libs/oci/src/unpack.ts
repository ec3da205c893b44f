import { createReadStream } from 'node:fs';
import { chmod, lchown, link, lutimes } from 'node:fs/promises';
import { dirname, posix } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { DomainError, messageOf, type RootTree, systemCode } from '#libs/core';
import { badImage } from './fault.js';
import type { OciLayer } from './layout.js';
import { LIMITS } from './limits.js';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

export interface UnpackOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes that the archive may unpack to; {@link LIMITS.layerBytes} when absent. */
  readonly limitBytes?: number | undefined;
  /** Told once per kind of thing that could not be kept, for example device files. */
  readonly warn: (message: string) => void;
}

/** What an archive is, beyond a sequence of files. */
interface ArchiveRules {
  /** Names that begin with `.wh.` remove what lies below (OCI image-spec, layer.md "Whiteouts"). */
  readonly whiteouts: boolean;
  /** Absolute names and special files are refused, not mended: such an archive was not made by an honest client. */
  readonly strict: boolean;
}

/** Puts one layer over what is already in the tree (OCI image-spec, layer.md "Applying Changesets"). @throws DomainError */
export async function applyLayer(tree: RootTree, layer: OciLayer, options: UnpackOptions): Promise<void> {
  const decompressors = decompressorsFor(layer.mediaType);
  const source = createReadStream(layer.path, { highWaterMark: 1024 * 1024 });
  const rules = { whiteouts: true, strict: false };
  await unpackStream([source, ...decompressors], tree, `Layer ${layer.digest}`, rules, options);
}

/** Unpacks a gzipped tar of plain files, such as a build context (builder contract §3.11). @throws DomainError */
export async function unpackArchive(tree: RootTree, source: Readable, options: UnpackOptions): Promise<void> {
  await unpackStream(
    [source, createGunzip()],
    tree,
    'The archive',
    { whiteouts: false, strict: true },
    options,
  );
}

async function unpackStream(
  stages: readonly [Readable, ...Duplex[]],
  tree: RootTree,
  what: string,
  rules: ArchiveRules,
  options: UnpackOptions,
): Promise<void> {
  const archive = extract();
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const [unpacked, flowed] = await Promise.allSettled([
    new Unpacker(tree, rules, options).consume(archive),
    pipeline([...stages, archive], signal),
  ]);
  // When one of them fails the other ends early: the one that has a sentence is the cause.
  if (unpacked.status === 'rejected' && unpacked.reason instanceof DomainError) throw unpacked.reason;
  options.signal?.throwIfAborted();
  const failed = [flowed, unpacked].find((result) => result.status === 'rejected');
  if (failed !== undefined) throw badImage(`${what}: ${messageOf(failed.reason)}`, failed.reason);
}

function decompressorsFor(mediaType: string): Duplex[] {
  if (/(\+|\.)gzip$/.test(mediaType)) return [createGunzip()];
  if (/(\+|\.)zstd$/.test(mediaType)) return [createZstdDecompress()];
  if (mediaType.endsWith('.tar')) return [];
  throw badImage(`Layers of type ${mediaType} are not supported`);
}

/** Unpacks the entries of one archive; remembers what it made, so that an opaque marker only hides lower layers. */
class Unpacker {
  readonly #made = new Set<string>();
  readonly #directories: { path: string; mode: number; mtime: Date | undefined }[] = [];
  readonly #warned = new Set<string>();
  #entries = 0;
  #bytes = 0;

  constructor(
    private readonly tree: RootTree,
    private readonly rules: ArchiveRules,
    private readonly options: UnpackOptions,
  ) {}

  async consume(archive: ReturnType<typeof extract>): Promise<void> {
    for await (const entry of archive) {
      this.#entries += 1;
      this.#bytes += entry.header.size ?? 0;
      if (this.#entries > LIMITS.entries)
        throw badImage(`Expected at most ${LIMITS.entries} entries in an archive`);
      const limit = this.options.limitBytes ?? LIMITS.layerBytes;
      if (this.#bytes > limit) throw badImage(`Expected at most ${limit} unpacked bytes in an archive`);
      if (this.rules.strict) refuseOddEntry(entry.header);
      await this.#take(safeName(entry.header.name), entry.header, entry);
      entry.resume();
    }
    // Modes of directories last: one that may not be written would stop its own entries.
    for (const { path, mode, mtime } of this.#directories.toReversed()) {
      const place = await this.tree.resolve(path, false);
      await chmod(place, mode);
      if (mtime !== undefined) await lutimes(place, mtime, mtime);
    }
  }

  async #take(path: string, header: Header, content: AsyncIterable<unknown>): Promise<void> {
    if (path === '') return;
    const name = posix.basename(path);
    if (this.rules.whiteouts && name === OPAQUE) return this.#hideLower(posix.dirname(path));
    if (this.rules.whiteouts && name.startsWith(WHITEOUT))
      return this.tree.remove(posix.join(posix.dirname(path), name.slice(WHITEOUT.length)));
    this.#made.add(path);
    const mode = (header.mode ?? 0o644) & 0o7777;
    switch (header.type) {
      case 'directory':
        return this.#directory(path, header, mode);
      case 'file':
      case 'contiguous-file':
      case undefined:
      case null:
        return this.#file(path, header, mode, content);
      case 'symlink':
        await this.#replace(path);
        await this.tree.link(path, header.linkname ?? '');
        return this.#own(path, header);
      case 'link':
        return this.#hardLink(path, safeName(header.linkname ?? ''));
      case 'character-device':
      case 'block-device':
      case 'fifo':
        return this.#warn(`Device files and pipes of the image are left out, the first is /${path}`);
      default:
        return this.#warn(`Entries of type ${String(header.type)} are left out, the first is /${path}`);
    }
  }

  async #directory(path: string, header: Header, mode: number): Promise<void> {
    const there = await this.tree.lstat(path);
    if (there !== undefined && !there.isDirectory()) await this.tree.remove(path);
    await this.tree.directory(path, mode | 0o700);
    await this.#own(path, header);
    this.#directories.push({ path, mode, mtime: header.mtime });
  }

  async #file(path: string, header: Header, mode: number, content: AsyncIterable<unknown>): Promise<void> {
    await this.#replace(path);
    const file = await this.tree.create(path, mode & 0o777, false);
    try {
      for await (const chunk of content) await file.writeFile(chunk as Buffer);
    } finally {
      await file.close();
    }
    await this.#own(path, header);
    // After the owner: chown clears setuid and setgid.
    const place = await this.tree.resolve(path, false);
    await chmod(place, mode);
    if (header.mtime !== undefined) await lutimes(place, header.mtime, header.mtime);
  }

  async #hardLink(path: string, target: string): Promise<void> {
    const from = await this.tree.resolve(target, false);
    await this.#replace(path);
    const to = await this.tree.resolve(path, false);
    await this.tree.directory(dirname(to).slice(this.tree.root.length));
    await link(from, to).catch((cause: unknown) => {
      throw badImage(`Hard link /${path} to /${target}: ${messageOf(cause)}`, cause);
    });
  }

  /** What lies at `path` goes, whatever it is: an entry replaces it whole. */
  async #replace(path: string): Promise<void> {
    if ((await this.tree.lstat(path)) !== undefined) await this.tree.remove(path);
  }

  async #hideLower(directory: string): Promise<void> {
    for (const name of await this.tree.list(directory)) {
      const path = posix.join(directory, name);
      const own = [...this.#made].some((made) => made === path || made.startsWith(`${path}/`));
      if (!own) await this.tree.remove(path);
    }
  }

  async #own(path: string, header: Header): Promise<void> {
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = header;
    if (uid === 0 && gid === 0) return;
    try {
      await lchown(await this.tree.resolve(path, false), uid, gid);
    } catch (error) {
      if (systemCode(error) !== 'EINVAL' && systemCode(error) !== 'EPERM') throw error;
      this.#warn(`Owners that are not mapped here become root, the first is ${uid}:${gid} of /${path}`);
    }
  }

  #warn(message: string): void {
    const kind = message.split(',')[0] ?? message;
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.options.warn(message);
  }
}

/** A name of a tar entry as a relative path. @throws DomainError for one that climbs (CVE-2021-29136) */
function safeName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0'))
    throw badImage(`Expected names without .. in an archive, got ${JSON.stringify(name.slice(0, 80))}`);
  return parts.join('/');
}

/** @throws DomainError for an absolute name, a special file, or a link that climbs out of the archive */
function refuseOddEntry({ name, type, linkname }: Header): void {
  if (name.startsWith('/'))
    throw badImage(`Expected relative names in the archive, got ${JSON.stringify(name.slice(0, 80))}`);
  const special = type === 'character-device' || type === 'block-device' || type === 'fifo';
  if (special)
    throw badImage(`Expected no special files in the archive, got ${JSON.stringify(name.slice(0, 80))}`);
  if (type === 'symlink' && /^\.\.(\/|$)/.test(posix.join(posix.dirname(name), linkname ?? '')))
    throw badImage(`Expected links that stay in the archive, got ${JSON.stringify(name.slice(0, 80))}`);
}
