import type { BlobReader } from '#libs/blobs';
import { DomainError } from '#libs/core';
import {
  DataType,
  isEncrypted,
  isPartitionOfType,
  objectsOfType,
  partitionOf,
  PartitionType,
  type ReadAccess,
  readSif,
  type SifImage,
} from '#libs/sif';
import { claimedSigners } from '#libs/signing';
import { keptLabels, type Label } from './imageDetails.js';

/** What the library says about an image without being asked: read from the file, never believed from a client. */
export interface ImageFacts {
  /** `other` is stored but not handed out as an image (library contract case 70). */
  readonly format: 'sif' | 'other';
  /** Go's name of the architecture of the primary partition. */
  readonly arch: string | undefined;
  /** The image has signature objects; whether they are good is for the verifier to say. */
  readonly signed: boolean;
  readonly encrypted: boolean;
  /** Fingerprints that the signatures claim, in hexadecimal. */
  readonly fingerprints: readonly string[];
  /** Some of what it says of itself, in short. */
  readonly labels: readonly Label[];
}

const MAGIC = Buffer.from('SIF_MAGIC\0');
const MAGIC_OFFSET = 32;
const NOTHING = { arch: undefined, signed: false, encrypted: false, fingerprints: [], labels: [] } as const;

/** Reads header and descriptors of an uploaded file. A file that is no image, or a broken one, is no error. */
export async function readImageFacts(source: Pick<BlobReader, 'read' | 'size'>): Promise<ImageFacts> {
  const magic = Buffer.alloc(MAGIC.length);
  await source.read(magic, MAGIC_OFFSET);
  if (!magic.equals(MAGIC)) return { format: 'other', ...NOTHING };
  try {
    return await factsOf(await readSif(accessTo(source)));
  } catch (error) {
    // Whoever pulls a broken image learns it from their own reader, as with every other tool.
    if (error instanceof DomainError) return { format: 'sif', ...NOTHING };
    throw error;
  }
}

/** A blob as the reader of images takes it. */
export function accessTo(source: Pick<BlobReader, 'read' | 'size'>): ReadAccess {
  return {
    size: source.size,
    readInto: (into, offset) =>
      source.read(Buffer.from(into.buffer, into.byteOffset, into.byteLength), offset),
  };
}

async function factsOf(image: SifImage): Promise<ImageFacts> {
  const signatures = objectsOfType(image, DataType.signature);
  const primary = image.descriptors.find((descriptor) =>
    isPartitionOfType(descriptor, PartitionType.primary),
  );
  const partition = primary && partitionOf(primary);
  return {
    format: 'sif',
    arch:
      partition === undefined || partition.architecture === 'unknown' ? undefined : partition.architecture,
    signed: signatures.length > 0,
    encrypted: partition !== undefined && isEncrypted(partition.fileSystem),
    fingerprints: claimedSigners(image),
    labels: await keptLabels(image),
  };
}
