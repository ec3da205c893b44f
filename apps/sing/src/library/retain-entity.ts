import { formatSize, type Surroundings } from '#libs/cli';
import type { LibraryManageClient, ManagedPath } from '#libs/client';
import type { EntityRetentionAnswer, Retention } from '#libs/contract';
import { confirmed, type RetainFlags } from './retain-flags.js';

interface Retained {
  readonly containers: EntityRetentionAnswer['data']['containers'];
  readonly removed: number;
  readonly bytes: number;
  readonly dryRun: boolean;
}

/** The same for all containers of an entity: with their own rules, or with those of the entity. */
export async function retainEntity(
  place: Surroundings,
  library: LibraryManageClient,
  path: ManagedPath,
  flags: RetainFlags,
  rules: Retention | undefined,
): Promise<void> {
  const tried = await everywhere(library, path, { dryRun: true, ...(rules === undefined ? {} : { rules }) });
  if (!(await confirmed(place, path, flags, tried))) return;
  const retained = flags.apply ? await everywhere(library, path, { dryRun: false }) : tried;
  const { containers, removed, bytes } = retained;
  if (flags.json) {
    place.out.json(retained);
    return;
  }
  const rows = containers.flatMap(({ container, images }) =>
    images.map(({ tags, arch, size, createdAt, hash }) => [
      container,
      tags.join(',') || '-',
      arch ?? '-',
      formatSize(size),
      createdAt.slice(0, 10),
      hash,
    ]),
  );
  if (rows.length > 0) place.out.table(['CONTAINER', 'TAGS', 'ARCH', 'SIZE', 'PUSHED', 'HASH'], rows);
  const done = flags.apply ? 'removed' : 'would be removed';
  const of = `of ${containers.length} containers with rules`;
  place.log.info(`${removed} images ${of} ${done}, which have ${formatSize(bytes)}.`);
}

/** Page by page. */
async function everywhere(
  library: LibraryManageClient,
  path: ManagedPath,
  request: { readonly dryRun: boolean; readonly rules?: Retention },
): Promise<Retained> {
  const containers: Retained['containers'] = [];
  let [removed, bytes] = [0, 0];
  let cursor: string | undefined;
  do {
    const page = await library.retainEntity(path, {
      ...request,
      ...(cursor === undefined ? {} : { cursor }),
    });
    containers.push(...page.containers);
    removed += page.removed;
    bytes += page.bytes;
    cursor = page.next;
  } while (cursor !== undefined);
  return { containers, removed, bytes, dryRun: request.dryRun };
}
