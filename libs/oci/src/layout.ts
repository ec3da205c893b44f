import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { messageOf } from '#libs/core';
import { badImage } from './fault.js';
import { LIMITS } from './limits.js';
import { type Descriptor, ImageConfig, Index, Manifest, type RunConfig } from './schema.js';

const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const REFERENCE = 'org.opencontainers.image.ref.name';
const MAXIMUM_NESTING = 4;

/** An image found in a layout: what to run, and its layers from the lowest to the uppermost. */
export interface OciImage {
  readonly architecture: string;
  readonly run: RunConfig;
  readonly layers: readonly OciLayer[];
}

export interface OciLayer {
  readonly mediaType: string;
  /** `sha256:<hex>` */
  readonly digest: string;
  readonly size: number;
  readonly path: string;
}

export interface SelectImage {
  /** Value of `org.opencontainers.image.ref.name`; undefined when the layout holds one image only. */
  readonly tag: string | undefined;
  /** GOARCH name. */
  readonly architecture: string;
}

/**
 * Finds an image in an OCI layout directory. Every document is checked against its digest and size before it is believed.
 * @throws DomainError `unprocessable` with what is wrong
 */
export async function openLayout(directory: string, select: SelectImage): Promise<OciImage> {
  const marker = await readFile(join(directory, 'oci-layout'), 'utf8').catch((cause: unknown) => {
    throw badImage(`Expected an OCI layout with a file oci-layout, got ${directory}`, cause);
  });
  if (!marker.includes('imageLayoutVersion'))
    throw badImage(`Expected imageLayoutVersion in ${directory}/oci-layout`);
  const index = parse(Index, await readLimited(join(directory, 'index.json')), 'index.json');
  const tagged =
    select.tag === undefined
      ? index.manifests
      : index.manifests.filter((entry) => entry.annotations?.[REFERENCE] === select.tag);
  if (tagged.length === 0) {
    const known = index.manifests.map((entry) => entry.annotations?.[REFERENCE] ?? '(no tag)').join(', ');
    throw badImage(
      `No image ${select.tag ?? ''} in ${directory}; it holds: ${known === '' ? 'nothing' : known}`,
    );
  }
  if (
    select.tag === undefined &&
    tagged.length > 1 &&
    tagged.every((entry) => entry.platform === undefined)
  ) {
    throw badImage(`${directory} holds several images: name one as ${directory}:TAG`);
  }
  return readManifest(directory, await choose(directory, tagged, select, 0));
}

async function choose(
  directory: string,
  entries: readonly Descriptor[],
  select: SelectImage,
  depth: number,
): Promise<Descriptor> {
  if (depth > MAXIMUM_NESTING) throw badImage(`Indexes are nested more than ${MAXIMUM_NESTING} deep`);
  const entry =
    entries.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === select.architecture,
    ) ?? entries.find(({ platform }) => platform === undefined);
  if (entry === undefined) {
    const offered = entries.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).join(', ');
    throw badImage(`No image for linux/${select.architecture}; offered are ${offered}`);
  }
  if (MANIFEST_TYPES.includes(entry.mediaType)) return entry;
  if (!INDEX_TYPES.includes(entry.mediaType))
    throw badImage(`Expected an image manifest or index, got ${entry.mediaType}`);
  const nested = parse(Index, await readBlob(directory, entry), 'a nested index');
  return choose(directory, nested.manifests, select, depth + 1);
}

async function readManifest(directory: string, descriptor: Descriptor): Promise<OciImage> {
  const manifest = parse(Manifest, await readBlob(directory, descriptor), 'the manifest');
  const config = parse(ImageConfig, await readBlob(directory, manifest.config), 'the image configuration');
  const layers = manifest.layers.map(({ mediaType, digest, size }) => ({
    mediaType,
    digest,
    size,
    path: blobPath(directory, digest),
  }));
  for (const layer of layers) {
    const found = await stat(layer.path).catch((cause: unknown) => {
      throw badImage(`Layer ${layer.digest} is missing`, cause);
    });
    if (found.size !== layer.size)
      throw badImage(`Expected ${layer.size} bytes for layer ${layer.digest}, got ${found.size}`);
  }
  return { architecture: config.architecture, run: config.config ?? {}, layers };
}

/** Reads a layer whole and compares its digest. @throws DomainError when the content is not what the manifest promised */
export async function verifyLayer(layer: OciLayer, signal?: AbortSignal): Promise<void> {
  const hash = createHash('sha256');
  const stream = createReadStream(layer.path, {
    highWaterMark: 1024 * 1024,
    ...(signal === undefined ? {} : { signal }),
  });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== layer.digest)
    throw badImage(`Expected content with digest ${layer.digest} for a layer, got ${actual}`);
}

const blobPath = (directory: string, digest: string): string =>
  join(directory, 'blobs', 'sha256', digest.slice('sha256:'.length));

async function readBlob(directory: string, { digest, size }: Descriptor): Promise<Buffer> {
  const bytes = await readLimited(blobPath(directory, digest));
  const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (bytes.length !== size || actual !== digest)
    throw badImage(`Expected ${size} bytes with digest ${digest}, got ${bytes.length} with ${actual}`);
  return bytes;
}

async function readLimited(path: string): Promise<Buffer> {
  const file = await open(path).catch((cause: unknown) => {
    throw badImage(`${path} cannot be read`, cause);
  });
  try {
    const { size } = await file.stat();
    if (size > LIMITS.documentBytes)
      throw badImage(`Expected at most ${LIMITS.documentBytes} bytes in ${path}, got ${size}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function parse<T extends z.ZodType>(schema: T, bytes: Buffer, what: string): z.infer<T> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw badImage(`Expected JSON for ${what}: ${messageOf(cause)}`, cause);
  }
  const result = schema.safeParse(json);
  if (!result.success)
    throw badImage(`${what} is not valid: ${result.error.issues[0]?.message ?? 'unknown'}`);
  return result.data;
}
