import { z } from 'zod';
import { LIMITS } from './limits.js';

/** `sha256:<64 hex>`: the only algorithm that is accepted, so that a digest is always safe as a file name (OCI descriptor §digests). */
const OciDigest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'Expected sha256:<64 hex digits> for a digest');

const Descriptor = z.object({
  mediaType: z.string(),
  digest: OciDigest,
  size: z.number().int().nonnegative(),
  platform: z.object({ architecture: z.string(), os: z.string() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.infer<typeof Descriptor>;

/** An index must not be readable as a manifest as well, nor the reverse (CVE-2021-41190). */
export const Index = z.object({
  manifests: z.array(Descriptor).max(1000),
  layers: z.undefined({ error: 'an index that has layers is ambiguous' }).optional(),
  config: z.undefined({ error: 'an index that has a config is ambiguous' }).optional(),
});

export const Manifest = z.object({
  config: Descriptor,
  layers: z.array(Descriptor).max(LIMITS.layers),
  manifests: z.undefined({ error: 'a manifest that has manifests is ambiguous' }).optional(),
});

const Text = z.string().max(65_536);
/** What a container of the image runs and knows (OCI image configuration, `config`). */
export const RunConfig = z.looseObject({
  Env: z.array(Text).max(10_000).nullish(),
  Entrypoint: z.array(Text).max(10_000).nullish(),
  Cmd: z.array(Text).max(10_000).nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
});
export type RunConfig = z.infer<typeof RunConfig>;

export const ImageConfig = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  config: RunConfig.nullish(),
});
