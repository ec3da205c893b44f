import { cp, open, stat } from 'node:fs/promises';
import { messageOf, systemCode } from '#libs/core';
import {
  DataType,
  FileSystem,
  nameOf,
  objectsOfType,
  readObject,
  readSif,
  rootEncryption,
  rootPartition,
  withSifFile,
} from '#libs/sif';
import { buildFailure, outOfSpace } from '../failure.js';
import { LIMITS } from '../limits.js';
import { unpackSquashfs } from '../squashfs.js';
import type { Base, BaseRequest } from './base.js';

/** `hsqs`: the first bytes of a squashfs of our byte order. */
const SQUASHFS_MAGIC = 0x73717368;
/** Where the magic of SIF is looked for (runtime contract §1.7). */
const HEAD_BYTES = 2048;

/**
 * `bootstrap: localimage`: a SIF, a bare squashfs, or a directory (definition contract §11).
 * @param path where the enclosed build finds it
 * @param from what the definition calls it
 * @throws DomainError
 */
export async function fillFromLocalImage(request: BaseRequest, path: string, from: string): Promise<Base> {
  const { tree, log, signal } = request;
  const stats = await stat(path).catch((cause: unknown) => {
    throw unreadableBase(from, cause);
  });
  let ociConfig: string | undefined;
  if (stats.isDirectory()) {
    await cp(path, tree.root, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
      errorOnExist: false,
      force: true,
    }).catch((cause: unknown) => {
      throw unreadableBase(from, cause);
    });
  } else if (await isSquashfs(path, from)) {
    await unpackSquashfs(path, 0, tree.root, { log, signal });
  } else {
    const base = await openSif(path, from);
    ociConfig = base.ociConfig;
    await unpackSquashfs(path, base.offset, tree.root, { log, signal });
  }
  signal?.throwIfAborted();
  return { keepSkeleton: true, ociConfig, finish: undefined };
}

/** @param from what the definition calls it */
export function unreadableBase(from: string, cause: unknown): Error {
  const code = systemCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') return outOfSpace(cause);
  const remedy =
    code === 'EACCES'
      ? 'A build runs with ids of its own, never as root of this machine: let others read the base, or pack it into a SIF file first.'
      : 'The path in from: is relative to the directory in which you build.';
  const why =
    { ENOENT: 'there is no such file', EACCES: 'it may not be read' }[code ?? ''] ?? messageOf(cause);
  return buildFailure(`unable to open the base image ${from}: ${why}`, { cause, remedy });
}

async function openSif(
  path: string,
  from: string,
): Promise<{ offset: number; ociConfig: string | undefined }> {
  return withSifFile(path, async (access) => {
    const image = await readSif(access).catch((cause: unknown) => {
      throw buildFailure(`invalid image format of the base ${from}: ${messageOf(cause)}`, {
        cause,
        remedy: 'A base of bootstrap: localimage is a SIF file, a squashfs or a folder.',
      });
    });
    const root = rootPartition(image);
    const encrypted = rootEncryption(image);
    if (encrypted !== undefined)
      throw buildFailure(`${from} is encrypted (${encrypted}) and cannot be a base`, {
        remedy: 'Name the image that it was made from, before it was encrypted.',
      });
    if (root.fileSystem !== FileSystem.squashfs) {
      throw buildFailure(`${from} holds a file system that cannot be unpacked here, only squashfs can`);
    }
    const config = objectsOfType(image, DataType.json).find((object) => nameOf(object) === 'oci-config.json');
    const text = config && (await readObject(image, config, LIMITS.metadataFileBytes)).toString('utf8');
    return { offset: Number(root.descriptor.offset), ociConfig: text };
  });
}

/** Whether a base is a file of the format that can be signed; a broken one counts. */
export async function isSif(path: string): Promise<boolean> {
  if (!(await stat(path)).isFile()) return false;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead).includes('SIF_MAGIC');
  } finally {
    await file.close();
  }
}

async function isSquashfs(path: string, from: string): Promise<boolean> {
  const file = await open(path).catch((cause: unknown) => {
    throw unreadableBase(from, cause);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32LE(0) === SQUASHFS_MAGIC;
  } finally {
    await file.close();
  }
}
