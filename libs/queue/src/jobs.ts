import { z } from 'zod';
import { QUEUE_LIMITS } from './limits.js';

/** A kind of job as data. */
export interface JobSpec<P> {
  readonly name: string;
  /** What the job carries: the id of a document, nothing that has to be kept secret or up to date. */
  readonly payload: z.ZodType<P>;
  /** Jobs with the same key are one job, as long as it has not ended. Letters, digits, `-` and `_`. */
  readonly key: (payload: P) => string;
  /** How often it is started at most when it throws, or when its worker dies. */
  readonly attempts: number;
  /** Milliseconds before it is started again after it threw; doubled each time. */
  readonly backoff: number;
}

const job = <P>(spec: JobSpec<P>): JobSpec<P> => spec;

/** Every kind of job there is. A process that handles jobs handles each of them, by exactly one handler. */
export const JOBS = {
  /** Builds one image. The build itself is a document of the builder; the job is only the call to work on it. */
  build: job({
    name: 'build',
    payload: z.strictObject({ id: z.string().regex(/^[0-9a-f]{24}$/) }),
    key: ({ id }) => id,
    attempts: 3,
    backoff: 1_000,
  }),
} as const;

export type JobName = keyof typeof JOBS;
export type JobPayload<N extends JobName> = z.infer<(typeof JOBS)[N]['payload']>;

/** A job that was added, or could have been. */
export interface JobReference {
  readonly name: JobName;
  readonly key: string;
  /** Which workers take it, for example `amd64`: every lane is a queue of its own. */
  readonly lane: string;
}

/**
 * The payload of a job as Redis gives it, or undefined for one that was not added by {@link JobQueue}: another name, a key that its
 * payload does not have, a field too many. Whoever can write to Redis can put anything there, and this program never puts such a thing.
 */
export function readPayload(
  expected: JobName,
  { name, key, data }: { readonly name: string; readonly key: string; readonly data: unknown },
): JobPayload<JobName> | undefined {
  const spec = JOBS[expected];
  const payload = spec.payload.safeParse(data);
  if (name !== expected || !payload.success || spec.key(payload.data) !== key) return undefined;
  return payload.data;
}

/** What BullMQ does with a job of this kind. Of jobs it would otherwise be what Redis says. */
export function optionsOf(name: JobName) {
  const { attempts, backoff } = JOBS[name];
  return {
    attempts,
    backoff: { type: 'exponential', delay: backoff },
    removeOnComplete: true,
    removeOnFail: { age: QUEUE_LIMITS.failedAgeSeconds, count: QUEUE_LIMITS.failedCount },
  };
}

const LANE = /^[a-z0-9]{1,16}$/;
const KEY = /^[A-Za-z0-9_-]{1,64}$/;

/** The name of the queue in Redis. @throws TypeError for a lane that could not be one */
export function queueName(name: JobName, lane: string): string {
  if (!LANE.test(lane))
    throw new TypeError(`Expected ${String(LANE)} for a lane, got ${JSON.stringify(lane)}`);
  return `${name}-${lane}`;
}

/** @throws TypeError for a key that could be mistaken for something else in Redis */
export function checkKey(key: string): string {
  if (!KEY.test(key))
    throw new TypeError(`Expected ${String(KEY)} for the key of a job, got ${JSON.stringify(key)}`);
  return key;
}

/** The lane of the machine that this runs on: its architecture in the words of container images. */
export function laneOfThisMachine(architecture: string = process.arch): string {
  return { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }[architecture] ?? architecture;
}
