import { open, stat } from 'node:fs/promises';
import { execa } from 'execa';
import type { Surroundings } from '#libs/cli';
import { DomainError, RootTree, systemCode } from '#libs/core';
import type { SifImage } from '#libs/sif';
import { attributesFromTree, InspectMetadata, type Attributes, type TreeReader } from './metadata.js';

/** Longest file of an image that is shown. */
const MAXIMUM_TEXT = 1024 * 1024;

/**
 * What an image says about itself. Images with an `inspect-metadata.json` are only read; others have their files read by
 * name. No program of the image runs.
 * @param path a SIF file, a squashfs file or a folder
 */
export async function readAttributes(
  place: Pick<Surroundings, 'log' | 'signal'>,
  path: string,
): Promise<Attributes> {
  if ((await stat(path)).isDirectory()) return attributesFromTree(await folderReader(path));
  if (await isSquashfs(path)) return attributesFromTree(squashfsReader(path, 0, place.signal));
  const sif = await import('#libs/sif');
  return sif.withSifFile(path, async (access) => {
    const image = await sif.readSif(access);
    return (await fromObject(image, sif)) ?? (await fromPartition(image, sif, path, place.signal));
  });
}

async function fromObject(image: SifImage, sif: typeof import('#libs/sif')): Promise<Attributes | undefined> {
  // "`inspect` reads it from the section of that name (first match)" (SIF contract §4.2).
  const descriptor = sif
    .objectsOfType(image, sif.DataType.json)
    .find((each) => sif.nameOf(each) === 'inspect-metadata.json');
  if (descriptor === undefined) return undefined;
  const text = (await sif.readObject(image, descriptor, sif.SIF_LIMITS.textBytes)).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DomainError('bad_request', 'The metadata in the image is no JSON', {
      reason: 'bad_metadata',
      cause,
    });
  }
  const parsed = InspectMetadata.safeParse(value);
  if (parsed.success) return parsed.data.data.attributes;
  throw new DomainError('bad_request', 'The metadata in the image has another shape than it should', {
    reason: 'bad_metadata',
    cause: parsed.error,
  });
}

async function fromPartition(
  image: SifImage,
  sif: typeof import('#libs/sif'),
  path: string,
  signal: AbortSignal,
): Promise<Attributes> {
  const root = sif.rootPartition(image);
  if (root.fileSystem !== sif.FileSystem.squashfs) {
    const kind = sif.fileSystemName(root.fileSystem);
    throw new DomainError('not_implemented', `Images with ${kind} cannot be inspected from outside`, {
      reason: 'unsupported_file_system',
      remedy: 'Look inside with: sing exec IMAGE ls /.singularity.d',
    });
  }
  const attributes = await attributesFromTree(squashfsReader(path, Number(root.descriptor.offset), signal));
  const [definition] = sif.objectsOfType(image, sif.DataType.definition);
  if (attributes.deffile !== undefined || definition === undefined) return attributes;
  const deffile = await sif.readObject(image, definition, sif.SIF_LIMITS.textBytes);
  return { ...attributes, deffile: deffile.toString('utf8').replace(/\n+$/, '') };
}

async function folderReader(path: string): Promise<TreeReader> {
  const tree = await RootTree.open(path);
  return {
    async text(name) {
      try {
        const file = await open(await tree.resolve(name), 'r');
        try {
          const { size } = await file.stat();
          return size > MAXIMUM_TEXT ? undefined : await file.readFile('utf8');
        } finally {
          await file.close();
        }
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    },
    async names(name) {
      try {
        return await tree.list(name);
      } catch (error) {
        if (isAbsent(error)) return [];
        throw error;
      }
    },
  };
}

/** Files of a squashfs by `unsquashfs`, one bounded call each; nothing is unpacked to disk. */
function squashfsReader(path: string, offset: number, signal: AbortSignal): TreeReader {
  const call = async (args: readonly string[]) => {
    try {
      return await execa('unsquashfs', ['-o', String(offset), ...args], {
        maxBuffer: MAXIMUM_TEXT,
        cancelSignal: signal,
        reject: false,
        stdin: 'ignore',
        stripFinalNewline: false,
        env: { LC_ALL: 'C' },
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw cause;
    }
  };
  const check = (result: Awaited<ReturnType<typeof call>>) => {
    signal.throwIfAborted();
    if (result.code === 'ENOENT') {
      throw new DomainError('unavailable', 'Cannot find the program unsquashfs', {
        reason: 'missing_program',
        remedy: 'Install it: apt install squashfs-tools',
      });
    }
    // 1 is a file system that cannot be read, 2 a name that is not in it.
    if (result.exitCode === 1) {
      throw new DomainError('bad_request', `The file system in ${path} cannot be read`, {
        reason: 'bad_file_system',
        cause: new Error(result.stderr),
      });
    }
    return result.exitCode === 0 ? result.stdout : undefined;
  };
  return {
    async text(name) {
      return check(await call(['-cat', path, name]));
    },
    async names(name) {
      const listing = check(await call(['-lc', '-d', '', path, name])) ?? '';
      const prefix = `/${name}/`;
      return listing
        .split('\n')
        .filter((line) => line.startsWith(prefix))
        .map((line) => line.slice(prefix.length))
        .filter((each) => each !== '' && !each.includes('/'));
    },
  };
}

async function isSquashfs(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.toString('latin1') === 'hsqs';
  } finally {
    await file.close();
  }
}

function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR';
}
