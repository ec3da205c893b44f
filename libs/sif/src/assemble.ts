import { placeFile, type Clock } from '#libs/core';
import type { ReadAccess } from './access/access.js';
import { FileAccess } from './access/file.js';
import { DataType, FileSystem, PartitionType } from './codes.js';
import { createSif } from './create.js';
import type { ObjectInput } from './input.js';
import { LAUNCH_SCRIPT } from './layout.js';

/** What a finished build consists of. */
export interface ImageParts {
  /** Raw text of the definition; for sources without one the generated text (SIF contract §4.1). */
  readonly definition: string | Uint8Array;
  /** JSON texts by object name, such as `inspect-metadata.json`; empty ones are left out. */
  readonly metadata: Readonly<Record<string, string | Uint8Array>>;
  /** The root file system. */
  readonly rootfs: ReadAccess;
  /** A number of `FileSystem`; squashfs by default. */
  readonly fileSystem?: number;
  /** Go's name of the architecture of the programs inside (§4.4). */
  readonly architecture: string;
  readonly clock: Clock;
  /** No UUID and no times: equal parts give equal files. */
  readonly deterministic?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Writes the image of a build: definition, JSON objects by name, primary partition, all in group 1 (SIF contract §4.1).
 * The file appears at `destination` whole or not at all, and replaces what was there; its mode is 0755 & ~umask.
 * @throws DomainError `unknown architecture: …` or when there is no space; nothing is left behind then
 */
export async function assembleImage(destination: string, parts: ImageParts): Promise<void> {
  await placeFile(destination, { overwrite: true, mode: 0o755 }, async (file) => {
    await createSif(await FileAccess.fromDescriptor(file.fd), {
      objects: objectsOf(parts),
      clock: parts.clock,
      launchScript: LAUNCH_SCRIPT,
      deterministic: parts.deterministic ?? false,
      ...(parts.signal === undefined ? {} : { signal: parts.signal }),
    });
  });
}

function objectsOf(parts: ImageParts): ObjectInput[] {
  const json = Object.entries(parts.metadata)
    .map(([name, text]) => ({ name, data: bytesOf(text) }))
    .filter(({ data }) => data.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, data }) => ({ type: DataType.json, name, data }));
  return [
    { type: DataType.definition, data: bytesOf(parts.definition) },
    ...json,
    {
      type: DataType.partition,
      data: parts.rootfs,
      extra: {
        kind: 'partition',
        partition: {
          fileSystem: parts.fileSystem ?? FileSystem.squashfs,
          type: PartitionType.primary,
          architecture: parts.architecture,
        },
      },
    },
  ];
}

const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
