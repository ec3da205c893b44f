export { checkQueueAtStart } from './check-at-start.js';
export { queueAbsent } from './errors.js';
export { type JobContext, type JobHandler, JobStopped } from './handlers.js';
export { JobQueue, type JobState } from './job-queue.js';
export { JobWorker, type WorkerSettings } from './job-worker.js';
export { type JobName, type JobPayload, type JobReference, JOBS, laneOfThisMachine } from './jobs.js';
export { QUEUE_LIMITS } from './limits.js';
export { type SignalListener, Signals } from './signals.js';
