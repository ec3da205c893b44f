import { cp, open, stat } from 'node:fs/promises';
import { messageOf } from '#libs/core';
import {
  DataType,
  FileSystem,
  nameOf,
  objectsOfType,
  readObject,
  readSif,
  rootPartition,
  withSifFile,
} from '#libs/sif';
import { buildFailure } from '../failure.js';
import { LIMITS } from '../limits.js';
import { unpackSquashfs } from '../squashfs.js';
import type { Base, BaseRequest } from './base.js';

/** `hsqs`: the first bytes of a squashfs of our byte order. */
const SQUASHFS_MAGIC = 0x73717368;

/** `bootstrap: localimage`: a SIF, a bare squashfs, or a directory (definition contract §11). @throws DomainError */
export async function fillFromLocalImage(request: BaseRequest, from: string): Promise<Base> {
  const { tree, signal } = request;
  if (from === '') throw buildFailure('bootstrap: localimage needs the path of an image in from:');
  const stats = await stat(from).catch((cause: unknown) => {
    throw buildFailure(`unable to open the base image ${from}: ${messageOf(cause)}`, { cause });
  });
  let ociConfig: string | undefined;
  if (stats.isDirectory()) {
    await cp(from, tree.root, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
      errorOnExist: false,
      force: true,
    });
  } else if (await isSquashfs(from)) {
    await unpackSquashfs(from, 0, tree.root, signal);
  } else {
    const base = await openSif(from);
    ociConfig = base.ociConfig;
    await unpackSquashfs(from, base.offset, tree.root, signal);
  }
  signal?.throwIfAborted();
  return { keepSkeleton: true, ociConfig, finish: undefined };
}

async function openSif(path: string): Promise<{ offset: number; ociConfig: string | undefined }> {
  return withSifFile(path, async (access) => {
    const image = await readSif(access);
    const root = rootPartition(image);
    if (root.fileSystem !== FileSystem.squashfs) {
      throw buildFailure(`${path} holds a file system that cannot be unpacked here, only squashfs can`);
    }
    const config = objectsOfType(image, DataType.json).find((object) => nameOf(object) === 'oci-config.json');
    const text = config && (await readObject(image, config, LIMITS.metadataFileBytes)).toString('utf8');
    return { offset: Number(root.descriptor.offset), ociConfig: text };
  });
}

async function isSquashfs(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32LE(0) === SQUASHFS_MAGIC;
  } finally {
    await file.close();
  }
}
