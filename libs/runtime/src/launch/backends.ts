import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { OpenedImage } from '../host.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { AbsolutePath, ImageBackend } from '../plan.js';
import { refusal } from '../refusal.js';
import type { Mode } from './mode.js';
import { sharedServer } from './sharedServer.js';
import { unpackedCache } from './unpackedCache.js';
import { extractionDirectory } from './wantedPaths.js';

/** Where the device is missing, the first makes it. */
const OPEN_FUSE = 'an administrator can open it with: modprobe fuse && chmod 666 /dev/fuse';

/**
 * The ways in which a squashfs can be mounted, best first (runtime contract §2.3).
 * @throws DomainError (status 255) when there is none
 */
export function squashfsBackends(
  facts: Facts,
  mode: Mode,
  messages: Message[],
  options: Pick<LaunchOptions, 'useCache'>,
): readonly ImageBackend[] {
  const { configuration } = facts;
  const possible: ImageBackend[] = [];
  const shared = sharedServer(facts, mode);
  if (shared !== null) possible.push(shared);
  if (mode.kind === 'root' && configuration.kernelSquashfs) possible.push({ kind: 'loop' });
  if (facts.fuse) possible.push({ kind: 'fuse', allowOther: mode.severalIds });
  const served = possible.length > 0;
  const unpacked = configuration.extraction ? unpackedCache(facts, mode, options) : null;
  if (unpacked !== null) possible.push(unpacked);
  if (!served && unpacked !== null)
    messages.push({
      level: 'VERBOSE',
      text: `/dev/fuse is not open to this user: the image is used unpacked; ${OPEN_FUSE}`,
    });
  if (possible.length === 0 && configuration.extraction)
    messages.push({
      level: 'INFO',
      text: `Unpacking the image for this run, because /dev/fuse is not open to this user; ${OPEN_FUSE}`,
    });
  const directory = extractionDirectory(facts.environment);
  if (configuration.extraction && facts.paths.get(directory)?.type === 'directory')
    possible.push({ kind: 'extract', directory });
  if (possible.length === 0)
    throw refusal(
      'the image can neither be mounted (/dev/fuse is not open to this user) nor unpacked',
      OPEN_FUSE,
    );
  return possible;
}

/**
 * The way in which an ext3 is mounted: by the kernel only for root, and only a file that nobody else could have written, since the driver trusts what it mounts.
 * @throws DomainError (status 255) when it cannot be
 */
export function ext3Backends(image: OpenedImage, facts: Facts, mode: Mode): readonly ImageBackend[] {
  if (mountedByKernel(image, facts, mode)) return [{ kind: 'loop' }];
  if (!facts.fuse)
    throw refusal(`the ext3 of ${image.path} needs /dev/fuse, which is not open to this user`, OPEN_FUSE);
  return [
    {
      kind: 'program',
      program: needed(facts.servers.ext3, image, 'fuse2fs'),
      allowOther: mode.severalIds,
    },
  ];
}

/** Whether the ext3 of this image is mounted by the kernel. */
export function mountedByKernel(image: OpenedImage, facts: Facts, mode: Mode): boolean {
  const { status } = image;
  return (
    mode.kind === 'root' && facts.configuration.kernelExtfs && status.uid === 0 && (status.mode & 0o022) === 0
  );
}

/**
 * The program that lays a writable ext3 over an image where the kernel does not.
 * @throws DomainError (status 255) when it is not installed
 */
export function overlayProgram(image: OpenedImage, facts: Facts): AbsolutePath {
  return needed(
    facts.servers.overlay,
    image,
    'fuse-overlayfs',
    '; without it the overlay can be read (:ro), or be a directory',
  );
}

function needed(program: AbsolutePath | null, image: OpenedImage, name: string, besides = ''): AbsolutePath {
  if (program !== null) return program;
  throw refusal(
    `the ext3 of ${image.path} needs the program ${name}, which is not installed`,
    `an administrator can install the package ${name}${besides}`,
  );
}
