import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { ImageBackend, ImageFile, MountImage } from '../plan.js';
import { notOffered, refusal } from '../refusal.js';
import { PLAIN, READ_ONLY, SESSION } from './layout.js';
import type { Mode } from './mode.js';
import { sharedServer } from './sharedServer.js';
import { extractionDirectory } from './wantedPaths.js';

/**
 * Checks the opened image against the rules of the site and says how it is mounted (runtime contract §2.3).
 * @throws DomainError (status 255) for an image that is refused, broken, of a foreign architecture, or of a kind that is not offered
 */
export function mountImage(
  options: LaunchOptions,
  facts: Facts,
  mode: Mode,
  messages: Message[],
): MountImage {
  const writable = options.writable === 'image';
  return {
    kind: 'mount_image',
    image: imageFile(facts, writable),
    at: SESSION.rootfs,
    flags: writable ? PLAIN : READ_ONLY,
    backends: backends(facts, mode, messages),
  };
}

function imageFile(facts: Facts, writable: boolean): ImageFile {
  const { image, configuration } = facts;
  const refuse = (what: string): Error =>
    refusal(`configuration disallows users from running ${what} containers`);
  if (image.problem !== null) throw refusal(`could not use image ${image.path}: ${image.problem}`);
  if (image.type === 'unknown') throw refusal(`image format not recognized: ${image.path}`);
  if (image.type === 'directory') {
    if (image.path === '/') throw refusal('/ as sandbox is not authorized');
    if (!configuration.allowDirectory) throw refuse('sandbox');
    return { handle: image.handle, path: image.path, fileSystem: 'directory', offset: 0, size: 0 };
  }
  if (image.type === 'sif' && !configuration.allowSif) throw refuse('SIF');
  if (image.type === 'squashfs' && !configuration.allowSquashfs) throw refuse('squashfs');
  if (image.type === 'ext3' && !configuration.allowExtfs) throw refuse('extfs');
  const { partition } = image;
  if (partition === null) throw refusal(`image ${image.path} has no primary system partition`);
  checkArchitecture(facts);
  if (partition.fileSystem === 'encrypted') {
    if (!configuration.allowEncrypted) throw refuse('encrypted SIF');
    throw notOffered(
      `${image.path} is encrypted: running such an image`,
      'run it with singularity or apptainer and its passphrase or key, or see what is not encrypted with sing inspect',
    );
  }
  if (partition.fileSystem !== 'squashfs')
    throw notOffered(`an image with the file system ${partition.fileSystem}`);
  if (writable)
    throw refusal(`no SIF writable overlay partition found in ${image.path}`, 'use --writable-tmpfs');
  return {
    handle: image.handle,
    path: image.path,
    fileSystem: 'squashfs',
    offset: partition.offset,
    size: partition.size,
  };
}

function checkArchitecture(facts: Facts): void {
  if (facts.interpreter !== false) return;
  const architecture = facts.image.partition?.architecture ?? 'unknown';
  throw refusal(
    `the image's architecture (${architecture}) could not run on the host's (${facts.identity.machine})`,
  );
}

/** Where the device is missing, the first makes it. */
const OPEN_FUSE = 'an administrator can open it with: modprobe fuse && chmod 666 /dev/fuse';

function backends(facts: Facts, mode: Mode, messages: Message[]): readonly ImageBackend[] {
  const { image, configuration } = facts;
  if (image.type === 'directory') return [{ kind: 'bind' }];
  const possible: ImageBackend[] = [];
  if (mode.kind === 'root' && configuration.kernelSquashfs) possible.push({ kind: 'loop' });
  const shared = facts.fuse ? sharedServer(facts, mode) : null;
  if (shared !== null) possible.push(shared);
  if (facts.fuse) possible.push({ kind: 'fuse', allowOther: mode.severalIds });
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
