import { z } from 'zod';
import { DomainError } from '#libs/core';
import type { Descriptor, SifImage } from '#libs/sif';
import type { Attributes } from './metadata.js';

/*
 * Images that hold an OCI image instead of a root file system (SIF contract §5.5): index, manifest and configuration are objects that
 * name each other by digest.
 */

type Sif = typeof import('#libs/sif');

const Reference = z.object({
  digest: z.string(),
  annotations: z.record(z.string(), z.string()).nullish(),
});
const Index = z.object({ manifests: z.array(Reference) });
const Manifest = z.object({ config: Reference });
const Configuration = z.object({
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/** Images whose name begins so hold signatures. */
const SIGNATURES = '_cosign';

/** The labels of an OCI image; undefined when the file holds none. */
export async function ociAttributes(sif: Sif, image: SifImage): Promise<Attributes | undefined> {
  const [index, second] = sif.objectsOfType(image, sif.DataType.ociRootIndex);
  if (index === undefined || second !== undefined) return undefined;
  const { manifests } = await jsonOf(sif, image, index, Index);
  const manifest = manifests.find(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name']?.startsWith(SIGNATURES) !== true,
  );
  if (manifest === undefined) return undefined;
  const { config } = await jsonOf(sif, image, blobOf(sif, image, manifest.digest), Manifest);
  const configuration = await jsonOf(sif, image, blobOf(sif, image, config.digest), Configuration);
  const labels = configuration.config?.Labels ?? {};
  return Object.keys(labels).length === 0 ? {} : { labels };
}

function blobOf(sif: Sif, image: SifImage, digest: string): Descriptor {
  const found = sif
    .objectsOfType(image, sif.DataType.ociBlob)
    .find((one) => sif.ociDigestText(one) === digest);
  if (found === undefined) throw badOci(`${digest} is missing`);
  return found;
}

async function jsonOf<S extends z.ZodType>(
  sif: Sif,
  image: SifImage,
  descriptor: Descriptor,
  schema: S,
): Promise<z.output<S>> {
  const bytes = await sif.readObject(image, descriptor, sif.SIF_LIMITS.textBytes);
  const digest = `sha256:${await sif.digestOf(new sif.MemoryAccess(bytes))}`;
  if (digest !== sif.ociDigestOf(descriptor))
    throw badOci(`object ${descriptor.id} is not what its digest says`);
  const parsed = schema.safeParse(parseJson(bytes.toString('utf8')));
  if (!parsed.success) throw badOci(`object ${descriptor.id} is not what it should be`, parsed.error);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const badOci = (why: string, cause?: unknown) =>
  new DomainError('bad_request', `The OCI image in the file cannot be read: ${why}`, {
    reason: 'bad_metadata',
    cause,
  });
