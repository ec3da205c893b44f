import { formatSize, type Surroundings } from '#libs/cli';
import type { LibraryManageClient, ManagedPath } from '#libs/client';
import type { RetainedImage, Retention } from '#libs/contract';
import { confirmed, type RetainFlags } from './retain-flags.js';

/** Says what the rules of a container keep, or removes the others. */
export async function retainContainer(
  place: Surroundings,
  library: LibraryManageClient,
  path: ManagedPath,
  flags: RetainFlags,
  rules: Retention | undefined,
): Promise<void> {
  const tried = await library.retain(path, { dryRun: true, ...(rules === undefined ? {} : { rules }) });
  if (!(await confirmed(place, path, flags, tried))) return;
  const { images, removed, bytes, dryRun } = flags.apply
    ? await library.retain(path, { dryRun: false })
    : tried;
  if (flags.json) {
    place.out.json({ images, removed, bytes, dryRun });
    return;
  }
  if (images.length > 0)
    place.out.table(['TAGS', 'ARCH', 'SIZE', 'PUSHED', 'KEPT?', 'HASH'], images.map(row));
  const done = flags.apply ? 'removed' : 'would be removed';
  place.log.info(`${removed} images ${done}, which have ${formatSize(bytes)}.`);
}

const REASONS: Readonly<Record<NonNullable<RetainedImage['kept']>, string>> = {
  last: 'one of the last',
  days: 'pushed or pulled lately',
  tag: 'by its tag',
  protected: 'protected tag',
};

function row({ tags, arch, size, createdAt, kept, hash }: RetainedImage): string[] {
  return [
    tags.join(',') || '-',
    arch ?? '-',
    formatSize(size),
    createdAt.slice(0, 10),
    kept === null ? 'no' : REASONS[kept],
    hash,
  ];
}
