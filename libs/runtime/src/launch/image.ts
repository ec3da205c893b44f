import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { OpenedImage } from '../host.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { ImageBackend, ImageFile, MountImage } from '../plan.js';
import { notOffered, refusal } from '../refusal.js';
import { ext3Backends, squashfsBackends } from './backends.js';
import { PLAIN, READ_ONLY, SESSION } from './layout.js';
import type { Mode } from './mode.js';

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
  const image = imageFile(facts);
  const writable = options.writable === 'image' && isWritable(facts.image);
  return {
    kind: 'mount_image',
    image,
    at: SESSION.rootfs,
    flags: writable ? PLAIN : READ_ONLY,
    backends: backends(image, { options, facts, mode, messages }),
  };
}

/**
 * Whether --writable makes the root file system itself writable. Of a SIF only an overlay partition is ever written.
 * @throws DomainError (status 255) when nothing of the image can be
 */
function isWritable(image: OpenedImage): boolean {
  if (image.type === 'directory' || image.type === 'ext3') return true;
  if (image.others.some(({ kind, fileSystem }) => kind === 'overlay' && fileSystem === 'ext3')) return false;
  throw refusal(
    `no SIF writable overlay partition found in ${image.path}`,
    'use --writable-tmpfs, or add one with: sing overlay create IMAGE',
  );
}

function imageFile(facts: Facts): ImageFile {
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
  if (partition.fileSystem !== 'squashfs' && partition.fileSystem !== 'ext3')
    throw notOffered(`an image with the file system ${partition.fileSystem}`);
  const { fileSystem, offset, size } = partition;
  return { handle: image.handle, path: image.path, fileSystem, offset, size };
}

function checkArchitecture(facts: Facts): void {
  if (facts.interpreter !== false) return;
  const architecture = facts.image.partition?.architecture ?? 'unknown';
  throw refusal(
    `the image's architecture (${architecture}) could not run on the host's (${facts.identity.machine})`,
  );
}

interface Launch {
  readonly options: LaunchOptions;
  readonly facts: Facts;
  readonly mode: Mode;
  readonly messages: Message[];
}

function backends(
  { fileSystem }: ImageFile,
  { options, facts, mode, messages }: Launch,
): readonly ImageBackend[] {
  if (fileSystem === 'directory') return [{ kind: 'bind' }];
  return fileSystem === 'ext3'
    ? ext3Backends(facts.image, facts, mode)
    : squashfsBackends(facts, mode, messages, options);
}
