import { JOBS, type JobName, type JobPayload } from './jobs.js';

/** Why a job is to stop now. The reason of the signal that its handler gets. */
export class JobStopped extends Error {
  override readonly name = 'JobStopped';
  /**
   * `cancelled`: nobody wants it any more. `lost`: this worker was away too long and another one has the job by now: do
   * not write anything. `closing`: the process ends; another worker starts the job again.
   */
  readonly why: 'cancelled' | 'lost' | 'closing';

  constructor(why: 'cancelled' | 'lost' | 'closing') {
    super(`The job is to stop: ${why}`);
    this.why = why;
  }
}

export interface JobContext {
  /** Aborted, with a {@link JobStopped} as its reason, when the work is to end now. */
  readonly signal: AbortSignal;
  /** 1 for the first start. */
  readonly attempt: number;
}

/**
 * Does one kind of job. Every job may run twice, also at the same time: what it writes must bear that.
 * It throws for what another attempt may do better, and for nothing else: a build that fails is a job that is done.
 */
export interface JobHandler<N extends JobName = JobName> {
  readonly name: N;
  handle(payload: JobPayload<N>, context: JobContext): Promise<void>;
}

/** The handlers by name. @throws Error unless every job has exactly one */
export function handlersByName(handlers: readonly JobHandler[]): ReadonlyMap<JobName, JobHandler> {
  const found = new Map<JobName, JobHandler>();
  const faults: string[] = [];
  for (const handler of handlers) {
    if (!Object.hasOwn(JOBS, handler.name)) faults.push(`there is no job ${handler.name}`);
    if (found.has(handler.name)) faults.push(`two handlers for ${handler.name}`);
    found.set(handler.name, handler);
  }
  for (const name of Object.keys(JOBS) as JobName[])
    if (!found.has(name)) faults.push(`no handler for ${name}`);
  if (faults.length > 0) throw new Error(`Every job has exactly one handler; here: ${faults.join(', ')}`);
  return found;
}
