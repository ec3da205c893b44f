import { z } from 'zod';
import { envelope } from './envelope.js';

/**
 * What the builder and its workers say to each other about one build. A worker proves itself once, for the ticket; everything after it carries
 * the token of the ticket, which was exchanged from the submitter's and is good for this build alone.
 */
export const JOB_PATHS = {
  ticket: (id: string) => `/v1/build/${id}/_ticket`,
  log: (id: string, offset: number, tryId: string) => `/v1/build/${id}/_log?offset=${offset}&try=${tryId}`,
  context: (id: string) => `/v1/build/${id}/_context`,
  finish: (id: string, tryId: string) => `/v1/build/${id}/_finish?try=${tryId}`,
} as const;

/**
 * Names one try of a build: made by its worker, the same when the worker asks again for the ticket because no answer came. What an earlier try says
 * afterwards is not heard: its worker was taken for dead, and another one has the build.
 */
export const TryId = z.string().regex(/^[0-9a-f]{24}$/, 'Expected 24 hexadecimal digits for a try');

/** `POST …/_ticket`: private_key_jwt of the worker (RFC 7523), for the instance's issuer. */
export const TicketRequest = z.object({ clientAssertion: z.string().min(1).max(4096), tryId: TryId });
export type TicketRequest = z.infer<typeof TicketRequest>;

/** Everything a worker needs for one build. */
export const Ticket = z.object({
  /** For the builder's routes about this build. */
  builderToken: z.string(),
  /** For pulling bases, and for pushing to {@link Ticket.place} and nowhere else. */
  libraryToken: z.string(),
  /** For looking keys up. */
  keystoreToken: z.string(),
  /** Text of the definition as it was submitted. */
  definition: z.string(),
  /** `entity/collection/container`. */
  place: z.string(),
  tags: z.array(z.string()).min(1),
  /** Library for bases that name none; undefined: ours. */
  libraryUrl: z.string().optional(),
  /** Whether a build context belongs to the build. */
  hasContext: z.boolean(),
  workingDirectory: z.string(),
  /** Bytes of log that are already stored: the next ones have this offset. */
  logSize: z.number().int().nonnegative(),
  /** 1 for the first try; more when a worker was lost. */
  attempt: z.number().int().positive(),
  /** Seconds that this try may take. */
  timeLimit: z.number().int().positive(),
});
export type Ticket = z.infer<typeof Ticket>;
export const TicketAnswer = envelope(Ticket);

/** `PUT …/_log`: how much is stored now, and whether anybody still wants the build. */
export const LogAnswer = envelope(z.object({ size: z.number().int().nonnegative(), wanted: z.boolean() }));

/** `PUT …/_finish`. */
export const JobOutcome = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('succeeded'),
    imageSize: z.number().int().positive(),
    /** `sha256.<hex>` of the image. */
    imageChecksum: z.string().regex(/^sha256\.[0-9a-f]{64}$/),
  }),
  z.object({ outcome: z.literal('failed'), reason: z.string().max(1000) }),
  /** The worker ends, and gives the build back: another one begins it anew, and this try does not count. */
  z.object({ outcome: z.literal('returned') }),
]);
export type JobOutcome = z.infer<typeof JobOutcome>;
