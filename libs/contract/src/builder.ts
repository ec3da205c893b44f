import { z } from 'zod';
import { envelope } from './envelope.js';

/** There is no "Failed": a failed build is `Complete` with an `imageSize` of 0 or none (builder contract §3.3). */
export const BuildStatus = z.enum(['Pending', 'InProgress', 'Complete', 'Cancelled', 'Deleted']);
export type BuildStatus = z.infer<typeof BuildStatus>;

/** Characters of an address or a reference. */
const ADDRESS = 2048;
/** Characters of a path, as the kernel takes them. */
const PATH = 4096;

/** What `POST /v1/build` takes (builder contract §3.2); one of the three forms of the definition is needed. */
export const BuildRequest = z.object({
  /** The definition file byte for byte in base64. */
  definitionRaw: z.string().optional(),
  buildRecipe: z.string().optional(),
  /** The editor extension's spelling of `buildRecipe`. */
  buildReceipe: z.string().optional(),
  definition: z.record(z.string(), z.unknown()).optional(),
  libraryRef: z.string().max(ADDRESS).optional(),
  libraryURL: z.string().max(ADDRESS).optional(),
  builderRequirements: z.record(z.string(), z.string()).nullish(),
  /** `sha256.<hex>` of an uploaded context. */
  contextDigest: z.string().max(100).optional(),
  /** Absolute path that relative `%files` sources are relative to. */
  workingDir: z.string().max(PATH).optional(),
  callbackURL: z.string().max(ADDRESS).optional(),
});
export type BuildRequest = z.infer<typeof BuildRequest>;

/** A build as the service tells about it (builder contract §3.3). */
export const BuildMetadata = z.object({
  id: z.string().regex(/^[0-9a-f]{24}$/),
  createdBy: z.string().optional(),
  submitTime: z.string().optional(),
  startTime: z.string().optional(),
  completeTime: z.string().optional(),
  isComplete: z.boolean().optional(),
  status: BuildStatus.optional(),
  imageSize: z.number().int().optional(),
  imageChecksum: z.string().optional(),
  libraryRef: z.string().optional(),
  libraryURL: z.string().optional(),
  wsURL: z.string().optional(),
  definition: z.record(z.string(), z.unknown()).nullish(),
  buildRecipe: z.string().optional(),
  callbackURL: z.string().optional(),
  deleted: z.boolean().optional(),
  /** Ours: why a build failed, in one sentence. Stock clients ignore it. */
  failureReason: z.string().optional(),
  /** Ours: architecture that the build runs on. */
  arch: z.string().optional(),
  /** Ours: builds in front of this one. */
  queuePosition: z.number().int().optional(),
});
export type BuildMetadata = z.infer<typeof BuildMetadata>;

export const BuildAnswer = envelope(BuildMetadata);
export const BuildListAnswer = envelope(z.array(BuildMetadata));

/** `POST /v1/build-context` (builder contract §3.11). */
export const BuildContextAnnouncement = z.object({
  size: z.number().int(),
  digest: z.string(),
});
export type BuildContextAnnouncement = z.infer<typeof BuildContextAnnouncement>;
