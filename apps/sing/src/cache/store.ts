import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { hexOf, messageOf, placeFile, systemCode, type Digest } from '#libs/core';
import { cacheFolder, makePrivate } from '../folders.js';
import { listUnpacked, removeUnpacked } from './unpacked.js';

/** Kinds of entries in the cache, shared with the stock program (runtime contract §1.7), and `rootfs`: images that starts have unpacked. */
export const CACHE_TYPES = [
  'library',
  'oci-tmp',
  'shub',
  'oras',
  'net',
  'oci-sif',
  'blob',
  'rootfs',
] as const;
export type CacheType = (typeof CACHE_TYPES)[number];
/** Those whose entries are named by the hash of what is in them. */
export type ContentType = 'library' | 'oras';

export type CachePlace = Pick<Surroundings, 'env' | 'cwd' | 'log' | 'signal'>;

export interface CacheEntry {
  readonly type: CacheType;
  readonly name: string;
  readonly path: string;
  readonly created: Date;
  readonly size: number;
}

/** What a pull or push that was interrupted has left for the next attempt. */
export interface Leftover {
  readonly kind: 'download' | 'upload';
  readonly path: string;
  readonly size: number;
  readonly touched: Date;
}

/** Folders of our own beside those of the stock program: it lists every file among the images. */
const VERIFIED = 'verified';
const UPLOADS = 'uploads';

/** What is in the cache, oldest first. Half-written files are no entries. */
export async function listCache(
  place: CachePlace,
  types: readonly CacheType[] = CACHE_TYPES,
): Promise<readonly CacheEntry[]> {
  const entries: CacheEntry[] = [];
  for (const type of types) {
    if (type === 'rootfs') {
      const found = await listUnpacked(join(cacheFolder(place), type));
      entries.push(...found.map((entry) => ({ ...entry, type })));
      continue;
    }
    const folder = join(cacheFolder(place), type);
    for (const name of await readdir(folder).catch(absent)) {
      if (name.startsWith('.')) continue;
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) continue;
      const size = found.isDirectory() ? await folderSize(path) : found.size;
      entries.push({ type, name, path, created: found.mtime, size });
    }
  }
  return entries.sort((a, b) => a.created.getTime() - b.created.getTime());
}

/** Removes an entry, and what is known of it; not one that a container uses. @throws Error when it cannot be */
export async function removeFromCache(place: CachePlace, entry: CacheEntry): Promise<'removed' | 'in use'> {
  if (entry.type === 'rootfs') return removeUnpacked(entry);
  await rm(entry.path, { recursive: true, force: true });
  await rm(recordPath(place, entry.type, entry.name), { force: true });
  return 'removed';
}

/** What interrupted pulls and pushes have left; nothing of those that are under way. */
export async function listLeftovers(place: CachePlace): Promise<readonly Leftover[]> {
  const { partialFiles, uploadMemories } = await import('#libs/client');
  const partial = await Promise.all(
    (['library', 'oras', 'net'] as const).map((type) => partialFiles(join(cacheFolder(place), type))),
  );
  const found = [
    ...partial.flat().map((file) => ({ ...file, kind: 'download' as const })),
    ...(await uploadMemories(join(cacheFolder(place), UPLOADS))).map((file) => ({
      ...file,
      kind: 'upload' as const,
    })),
  ];
  return found
    .filter(({ abandoned }) => abandoned)
    .map(({ kind, path, size, modifiedAt }) => ({ kind, path, size, touched: modifiedAt }));
}

export async function removeLeftover({ path }: Leftover): Promise<void> {
  await rm(path, { force: true });
}

/**
 * The cached image with this digest, or undefined. "Entries are keyed by content hash and re-verified by size/hash on use"
 * (runtime contract §1.7): the content is hashed unless the file is untouched since it last was.
 */
export async function cachedImage(
  place: CachePlace,
  digest: Digest,
  type: ContentType = 'library',
): Promise<string | undefined> {
  const path = entryPath(place, type, digest);
  const before = await stampOf(path);
  if (before === undefined) return undefined;
  const record = recordPath(place, type, digest);
  if ((await readFile(record, 'utf8').catch(() => '')) === before) return path;
  if ((await hashFile(path, place.signal)) === hexOf(digest) && (await stampOf(path)) === before) {
    await writeRecord(place, record, before);
    return path;
  }
  place.log.warning(`The cached image ${digest} is damaged; it is fetched again`);
  // Unless somebody has put a good one there meanwhile.
  if ((await stampOf(path)) === before) await rm(path, { force: true });
  return undefined;
}

/** Where an entry belongs; the folder is there afterwards. Say {@link markCached} when an image has arrived. */
export async function cachePath(
  place: CachePlace,
  name: string,
  type: CacheType = 'library',
): Promise<string> {
  const parent = cacheFolder(place);
  await makePrivate(parent, place);
  await makePrivate(join(parent, type), place);
  return entryPath(place, type, name);
}

/**
 * Where it is remembered how far pushes are, made if need be; undefined where that cannot be: a push works without.
 */
export async function uploadsFolder(place: CachePlace): Promise<string | undefined> {
  const folder = join(cacheFolder(place), UPLOADS);
  try {
    await makePrivate(cacheFolder(place), place);
    return await makePrivate(folder, place);
  } catch (error) {
    place.log.verbose(`Interrupted pushes are not remembered in ${folder}: ${messageOf(error)}`);
    return undefined;
  }
}

/** Remembers that the content of a cached image was checked while it arrived. */
export async function markCached(
  place: CachePlace,
  digest: Digest,
  type: ContentType = 'library',
): Promise<void> {
  const made = await stampOf(entryPath(place, type, digest));
  if (made !== undefined) await writeRecord(place, recordPath(place, type, digest), made);
}

/** Path of an entry, whether or not it is there. */
export function entryPath(place: CachePlace, type: CacheType, name: string): string {
  return join(cacheFolder(place), type, name);
}

/** Path of what is known of an entry. */
export function recordPath(place: CachePlace, type: CacheType, name: string): string {
  return join(cacheFolder(place), VERIFIED, type === 'library' ? name : `${type}-${name}`);
}

export async function writeRecord(place: CachePlace, path: string, text: string): Promise<void> {
  await makePrivate(join(cacheFolder(place), VERIFIED), place);
  await placeFile(path, { overwrite: true, mode: 0o600 }, (file) => file.writeFile(text));
}

/** Changes with every write to the file: the kernel alone sets the change time. Undefined where there is no file. */
export async function stampOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ');
}

/** SHA-256 of a file in hexadecimal. */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

async function folderSize(path: string): Promise<number> {
  let size = 0;
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    size += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return size;
}

function absent(error: unknown): string[] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}
