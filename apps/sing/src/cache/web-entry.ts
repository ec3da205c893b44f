import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { hexOf, isDigest, type Digest } from '#libs/core';
import { entryPath, hashFile, recordPath, stampOf, writeRecord, type CachePlace } from './store.js';

/** What is known of a file that came from an address. */
const Known = z.strictObject({
  form: z.literal(1),
  /** What the server said of its version, as it said it. */
  etag: z.string().max(1024).optional(),
  lastModified: z.string().max(100).optional(),
  digest: z.string().refine(isDigest),
  size: z.int().min(1),
  /** State of the file when its content was checked. */
  stamp: z.string().max(200),
});
type Known = z.output<typeof Known>;

/** A file from an address that is in the cache, and undamaged. Whether it is what the server has now, the server alone knows. */
export interface WebEntry {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/**
 * The name of the entry of an address: one for each, which is replaced when the server has something else. The address itself is
 * written nowhere: some have a key in them.
 */
export function webEntryName(url: string): string {
  return createHash('sha256').update(url).digest('hex');
}

/** What the cache has of an address. */
export async function findWebEntry(place: CachePlace, url: string): Promise<WebEntry | undefined> {
  const name = webEntryName(url);
  const known = await readKnown(recordPath(place, 'net', name));
  if (known === undefined) return undefined;
  const path = entryPath(place, 'net', name);
  const stamp = await stampOf(path);
  if (stamp === undefined) return undefined;
  if (stamp !== known.stamp) {
    // Touched, or copied from elsewhere: the content decides.
    if ((await hashFile(path, place.signal)) !== hexOf(known.digest) || (await stampOf(path)) !== stamp)
      return undefined;
    await writeKnown(place, name, { ...known, stamp });
  }
  const { digest, size, etag, lastModified } = known;
  return { path, digest, size, etag, lastModified };
}

/** Remembers what has just arrived in the place of the entry. */
export async function rememberWebEntry(
  place: CachePlace,
  url: string,
  entry: Omit<WebEntry, 'path'>,
): Promise<void> {
  const name = webEntryName(url);
  const stamp = await stampOf(entryPath(place, 'net', name));
  if (stamp === undefined) return;
  const { digest, size, etag, lastModified } = entry;
  await writeKnown(place, name, {
    form: 1,
    digest,
    size,
    stamp,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  });
}

function writeKnown(place: CachePlace, name: string, known: Known): Promise<void> {
  return writeRecord(place, recordPath(place, 'net', name), JSON.stringify(known));
}

async function readKnown(path: string): Promise<Known | undefined> {
  try {
    const parsed = Known.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
