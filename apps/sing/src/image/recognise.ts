import { open } from 'node:fs/promises';
import { DomainError } from '#libs/core';

/** What an image file is, and where its file system begins. */
export type ImageFile =
  | { readonly kind: 'folder' }
  | { readonly kind: 'sif' }
  | { readonly kind: 'squashfs' | 'ext3'; readonly offset: number };

/** Bytes of a file that are looked at: "searched in first 2048 bytes" (runtime contract §1.7). */
const HEAD_BYTES = 2048;
/** Where ext file systems have their magic number. */
const EXT_MAGIC_AT = 1080;

/**
 * What kind of image a file or folder is, by its first bytes (runtime contract §1.7). Without the magic of SIF at its place the file
 * may be a SIF all the same, a broken one: that is for its reader to say.
 * @throws DomainError `image format not recognized`
 */
export async function recogniseImage(path: string): Promise<ImageFile> {
  const file = await open(path, 'r');
  try {
    if ((await file.stat()).isDirectory()) return { kind: 'folder' };
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(HEAD_BYTES + EXT_MAGIC_AT),
      0,
      HEAD_BYTES + EXT_MAGIC_AT,
      0,
    );
    const bytes = buffer.subarray(0, bytesRead);
    const head = bytes.subarray(0, HEAD_BYTES);
    if (head.includes('SIF_MAGIC')) return { kind: 'sif' };
    const offset = afterLaunchScript(head);
    if (bytes.subarray(offset, offset + 4).toString('latin1') === 'hsqs') return { kind: 'squashfs', offset };
    if (bytes.subarray(offset + EXT_MAGIC_AT, offset + EXT_MAGIC_AT + 2).equals(Buffer.of(0x53, 0xef)))
      return { kind: 'ext3', offset };
    throw new DomainError('bad_request', `could not open image ${path}: image format not recognized`, {
      reason: 'unknown_image_format',
      remedy: 'Expected a SIF file, a squashfs or ext3 file system, or a folder',
    });
  } finally {
    await file.close();
  }
}

/** Images from before SIF may begin with a line that starts the runtime (SIF contract §1.2). */
function afterLaunchScript(head: Buffer): number {
  const word = head.indexOf(' run-singularity');
  const end = word > 0 ? head.indexOf('\n', word) : -1;
  return end === -1 ? 0 : end + 1;
}
