import { basename } from 'node:path';
import { type DownloadOptions, persist, type RetryOptions, SourceFile } from '#libs/client';
import { type Digest, digestFromHex, DomainError, hexOf, messageOf } from '#libs/core';
import { z } from 'zod';
import { type Descriptor, Index, Manifest } from '../schema.js';
import { type RawManifest, type RegistryClient, digestOf } from './registryClient.js';
import { uploadBlob, uploadSmall } from './upload.js';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
const UNDERSTOOD = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX];
/** Runtime contract §1.7, library contract §7.2. */
const SIF_LAYER = 'application/vnd.sylabs.sif.layer.v1.sif';
/** What stock programs wrote before the first; the mistake in it is theirs. */
const OLD_SIF_LAYER = 'appliciation/vnd.sylabs.sif.layer.tar';
const SIF_CONFIG = 'application/vnd.sylabs.sif.config.v1+json';
const TITLE = 'org.opencontainers.image.title';
const DESCRIPTION = 'org.opencontainers.image.description';
/** Indexes of indexes that are followed. */
const MAXIMUM_NESTING = 4;

/** A SIF file in a registry. */
export interface SifArtifact {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** What whoever pushed it called the file; their word. */
  readonly title: string | undefined;
  /** GOARCH name, where an index names it. */
  readonly architecture: string | undefined;
  /** `sha256:<hex>` of the manifest. */
  readonly manifest: string;
}

/**
 * Looks a SIF file up. Where an index offers several, the one for this architecture.
 * @param name for messages
 * @throws DomainError `no_sif_artifact` when something else is there, container images first of all
 */
export async function findSif(
  registry: RegistryClient,
  { name, architecture, signal }: { name: string; architecture: string; signal?: AbortSignal | undefined },
): Promise<SifArtifact> {
  let manifest = await registry.manifest(UNDERSTOOD, { signal });
  let chosen: Descriptor | undefined;
  for (let depth = 0; manifest.mediaType === INDEX || manifest.mediaType === DOCKER_INDEX; depth += 1) {
    if (depth >= MAXIMUM_NESTING)
      throw badArtifact(`${name}: indexes are nested more than ${MAXIMUM_NESTING} deep`);
    chosen = choose(read(IndexDocument, manifest, name).manifests, architecture, name);
    manifest = await registry.manifest(UNDERSTOOD, { digest: chosen.digest, signal });
    // Stock programs write 0 into the index that a library gives out (library contract §7.2).
    if (chosen.size !== 0 && chosen.size !== manifest.bytes.length)
      throw badArtifact(
        `${name}: Expected ${chosen.size} bytes for a manifest, got ${manifest.bytes.length}`,
      );
  }
  const { layers, config } = read(ManifestDocument, manifest, name);
  const [layer] = layers;
  if (layer === undefined || !layers.some(isSif))
    throw new DomainError('unprocessable', `${name} is no SIF file but ${kindOf(config, layer)}`, {
      reason: 'no_sif_artifact',
      remedy: 'oras:// is for SIF files that were put into a registry; images of containers have docker://',
    });
  if (layers.length !== 1 || !isSif(layer))
    throw badArtifact(`${name}: Expected one SIF file and nothing else, got ${layers.length} layers`);
  return {
    digest: digestFromHex(layer.digest.slice('sha256:'.length)),
    size: layer.size,
    title: layer.annotations?.[TITLE],
    architecture: chosen?.platform?.architecture,
    manifest: manifest.digest,
  };
}

/** What a download of the file needs ({@link DownloadOptions}). */
export function sifDownload(
  registry: RegistryClient,
  { digest, size }: SifArtifact,
): Pick<DownloadOptions, 'http' | 'url' | 'digest' | 'size' | 'sender'> {
  return {
    http: registry,
    url: registry.path(`blobs/sha256:${hexOf(digest)}`),
    digest,
    size,
    sender: 'The registry',
  };
}

export interface PushSifOptions {
  readonly file: string;
  /** GOARCH name. */
  readonly architecture: string;
  readonly description?: string | undefined;
  readonly onProgress?:
    ((now: { phase: 'hashing' | 'sending' | 'storing'; done: number; total: number }) => void) | undefined;
  readonly onRetry?: RetryOptions['onRetry'];
  readonly signal?: AbortSignal | undefined;
}

export interface PushedSif {
  readonly digest: Digest;
  readonly size: number;
  /** False when the registry had the file already. */
  readonly uploaded: boolean;
  /** `sha256:<hex>` of the manifest. */
  readonly manifest: string;
}

/**
 * Puts a SIF file into a registry in the form of stock programs: one layer, a configuration, a manifest under the tag. What the
 * repository has is not sent.
 */
export async function pushSif(registry: RegistryClient, options: PushSifOptions): Promise<PushedSif> {
  const { signal, onRetry, onProgress, architecture, description } = options;
  const retry = { signal, onRetry };
  const source = await SourceFile.open(options.file);
  try {
    const total = source.size;
    let done = 0;
    const digest = await source.digest(
      (count) => onProgress?.({ phase: 'hashing', done: (done += count), total }),
      signal,
    );
    const blob = `sha256:${hexOf(digest)}`;
    const uploaded = !(await persist(() => registry.hasBlob(blob, signal), retry));
    if (uploaded) {
      await uploadBlob(registry, {
        source,
        digest: blob,
        onSent: (sent) => onProgress?.({ phase: sent < total ? 'sending' : 'storing', done: sent, total }),
        retry,
      });
    }
    const config = Buffer.from(JSON.stringify({ architecture, os: 'linux' }));
    const configDigest = digestOf(config);
    if (!(await persist(() => registry.hasBlob(configDigest, signal), retry)))
      await uploadSmall(registry, config, configDigest, retry);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: { mediaType: SIF_CONFIG, digest: configDigest, size: config.length },
        layers: [
          {
            mediaType: SIF_LAYER,
            digest: blob,
            size: total,
            annotations: { [TITLE]: basename(options.file) },
          },
        ],
        ...(description === undefined ? {} : { annotations: { [DESCRIPTION]: description } }),
      }),
    );
    const pushed = await persist(() => registry.putManifest(manifest, MANIFEST, signal), retry);
    return { digest, size: total, uploaded, manifest: pushed };
  } finally {
    await source.close();
  }
}

/** Documents of a registry say their own type, which has to be what they came as (CVE-2021-41190). */
const own = { schemaVersion: z.literal(2), mediaType: z.string().optional() };
const IndexDocument = Index.extend(own);
const ManifestDocument = Manifest.extend(own);

function read<S extends typeof IndexDocument | typeof ManifestDocument>(
  schema: S,
  { bytes, mediaType }: RawManifest,
  name: string,
): z.output<S> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw badArtifact(`${name}: the manifest is no JSON: ${messageOf(cause)}`, cause);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success)
    throw badArtifact(`${name}: the manifest is not valid: ${parsed.error.issues[0]?.message ?? 'unknown'}`);
  const { mediaType: says } = parsed.data;
  if (says !== undefined && says !== mediaType)
    throw badArtifact(`${name}: the manifest came as ${mediaType} and calls itself ${says}`);
  return parsed.data as z.output<S>;
}

function choose(entries: readonly Descriptor[], architecture: string, name: string): Descriptor {
  const found =
    entries.find(({ platform }) => platform?.os === 'linux' && platform.architecture === architecture) ??
    entries.find(({ platform }) => platform === undefined);
  if (found !== undefined) return found;
  const offered = entries.map(({ platform }) => platform?.architecture ?? 'unknown').join(', ');
  throw new DomainError('not_found', `There is no ${name} for ${architecture}`, {
    reason: 'image_not_found',
    remedy: `It is there for: ${offered === '' ? 'nothing' : offered}. Another one is chosen with --arch`,
  });
}

const isSif = ({ mediaType }: Descriptor): boolean => mediaType === SIF_LAYER || mediaType === OLD_SIF_LAYER;

function kindOf(config: Descriptor, layer: Descriptor | undefined): string {
  const image = /^application\/vnd\.(oci|docker)\..*(image|container)/.test(config.mediaType);
  return image ? 'a container image' : `an artifact of ${layer?.mediaType ?? config.mediaType}`;
}

function badArtifact(message: string, cause?: unknown): DomainError {
  return new DomainError('unprocessable', message, {
    reason: 'bad_artifact',
    ...(cause === undefined ? {} : { cause }),
  });
}
