import { z } from 'zod';

/**
 * What a build program and the enclosed process that does its work say to each other: one request as JSON on its standard input, events as lines of JSON
 * on its standard output. The enclosed process has no token, no network address and no secret: bases were fetched before.
 */
export const EnclosedRequest = z.object({
  definition: z.string(),
  buildArguments: z.record(z.string(), z.string()),
  workFolder: z.string(),
  /** Where the image is to appear, inside the work folder. */
  output: z.string(),
  /** A packed build context, what relative sources are relative to in it, and how many bytes it may unpack to. */
  context: z
    .object({ archive: z.string(), workingDirectory: z.string(), limitBytes: z.number().optional() })
    .optional(),
  /** Where the bases are that were fetched, by `baseKey`. */
  bases: z.record(z.string(), z.string()),
  /** What scripts reach. */
  network: z.enum(['host', 'none']),
  /** Others of this machine go first: the services beside a worker. */
  background: z.boolean(),
  version: z.string(),
  force: z.boolean(),
  runTests: z.boolean(),
});
export type EnclosedRequest = z.infer<typeof EnclosedRequest>;

export const EnclosedEvent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('info'), message: z.string() }),
  z.object({ kind: z.literal('warning'), message: z.string() }),
  z.object({ kind: z.literal('output'), base64: z.string() }),
  z.object({ kind: z.literal('built'), size: z.number(), architecture: z.string() }),
  z.object({
    kind: z.literal('failed'),
    message: z.string(),
    reason: z.string(),
    remedy: z.string().optional(),
  }),
]);
export type EnclosedEvent = z.infer<typeof EnclosedEvent>;

/** Longest line of events: an output chunk in base64 and its frame. */
export const LONGEST_EVENT = 1024 * 1024;
export const LONGEST_REQUEST = 4 * 1024 * 1024;
