import { messageOf, oneLine } from '#libs/core';
import { type Job, WaitingError, Worker } from 'bullmq';
import { cancelKey, cancelTopic } from './cancellation.js';
import { PREFIX, type QueueLog, RedisConnection } from './connection.js';
import { type JobHandler, handlersByName, JobStopped } from './handlers.js';
import { JOBS, optionsOf, queueName, readPayload } from './jobs.js';
import { QUEUE_LIMITS } from './limits.js';
import { Signals } from './signals.js';

export interface WorkerSettings {
  readonly url: string;
  readonly handlers: readonly JobHandler[];
  /** Whose jobs to take; {@link laneOfThisMachine} for builds. */
  readonly lane: string;
  /** Jobs of one kind at the same time. */
  readonly concurrency: number;
  readonly log: QueueLog;
}

/** Takes jobs and gives them to their handlers. A job that a dead worker had is taken by another within seconds. */
export class JobWorker {
  readonly #connection: RedisConnection;
  readonly #signals: Signals;
  readonly #workers: readonly Worker[];
  readonly #running = new Map<string, AbortController>();
  readonly #log: QueueLog;
  #closing: Promise<void> | undefined;

  private constructor(settings: WorkerSettings) {
    const handlers = handlersByName(settings.handlers);
    this.#log = settings.log;
    this.#connection = new RedisConnection(settings.url, 'waits', settings.log);
    this.#signals = new Signals(settings.url);
    this.#workers = [...handlers.values()].map((handler) => this.#worker(handler, settings));
  }

  /**
   * Starts to take jobs as soon as Redis is there, which may be later.
   * @throws Error unless every job has exactly one handler; DomainError for an address that is none
   */
  static async start(settings: WorkerSettings): Promise<JobWorker> {
    const worker = new JobWorker(settings);
    for (const { name } of worker.#workers)
      await worker.#signals.subscribe(cancelTopic(name), (key) => void worker.#onCancel(name, key));
    for (const one of worker.#workers)
      one
        .run()
        .catch((error: unknown) => settings.log(`The worker of ${one.name} ended: ${messageOf(error)}`));
    return worker;
  }

  /** For readiness: resolves when Redis answers. @throws DomainError `unavailable` with a sentence */
  check(): Promise<void> {
    return this.#connection.check();
  }

  /** Takes no more jobs, stops those that run (`closing`) and puts them back; resolves when their handlers have ended. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      const paused = this.#workers.map((worker) => worker.pause(true));
      for (const controller of this.#running.values()) controller.abort(new JobStopped('closing'));
      await Promise.allSettled(paused);
      // Without Redis there is nothing to wait for: the jobs are found by others.
      await Promise.all(this.#workers.map((worker) => worker.close(!this.#connection.ready)));
      await this.#signals.close();
      this.#connection.close();
    })();
    return this.#closing;
  }

  #worker(handler: JobHandler, { lane, concurrency }: WorkerSettings): Worker {
    const name = queueName(handler.name, lane);
    const worker = new Worker(name, (job, token) => this.#process(handler, name, job, token), {
      connection: this.#connection.client,
      prefix: `${PREFIX}:jobs`,
      concurrency,
      autorun: false,
      lockDuration: QUEUE_LIMITS.lock,
      lockRenewTime: QUEUE_LIMITS.lockRenewal,
      stalledInterval: QUEUE_LIMITS.stalledCheck,
      maxStalledCount: JOBS[handler.name].attempts - 1,
      runRetryDelay: QUEUE_LIMITS.reconnect,
    });
    // Faults of the connection are told by the connection; the rest concerns single jobs.
    worker.on('error', (error) => {
      if (this.#connection.ready && this.#closing === undefined)
        this.#log(`The queue of ${name} reports: ${messageOf(error)}`);
    });
    worker.on('lockRenewalFailed', (keys) => {
      for (const key of keys) this.#running.get(`${name}/${key}`)?.abort(new JobStopped('lost'));
    });
    worker.on('stalled', (key) => this.#log(`Job ${key} of ${name} lost its worker and waits for another`));
    worker.on('failed', (job, error) =>
      this.#log(`Job ${job?.id ?? '?'} of ${name} failed: ${messageOf(error)}`),
    );
    return worker;
  }

  async #process(handler: JobHandler, queue: string, job: Job, token: string | undefined): Promise<void> {
    const key = job.id ?? '';
    Object.assign(job.opts, optionsOf(handler.name));
    const payload = readPayload(handler.name, { name: job.name, key, data: job.data });
    if (payload === undefined) {
      // Neither started nor kept as failed: its key may be that of a document, which then would be told that its work failed.
      this.#log(
        `A job of ${queue} was refused: ${oneLine(JSON.stringify(key)).slice(0, 100)} was not added by this instance`,
      );
      return;
    }
    const running = `${queue}/${key}`;
    const controller = new AbortController();
    this.#running.set(running, controller);
    try {
      // Listening comes first, then the question: a cancellation in between is heard.
      if (await this.#isCancelled(queue, key)) return;
      if (this.#closing !== undefined) controller.abort(new JobStopped('closing'));
      controller.signal.throwIfAborted();
      await handler.handle(payload, { signal: controller.signal, attempt: job.attemptsStarted });
    } catch (error) {
      const reason: unknown = controller.signal.reason;
      if (reason instanceof JobStopped && reason.why === 'cancelled') return;
      if (reason instanceof JobStopped && reason.why === 'closing') {
        await job.moveToWait(token);
        throw new WaitingError();
      }
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  async #onCancel(queue: string, key: string | undefined): Promise<void> {
    const prefix = `${queue}/`;
    const keys =
      key === undefined
        ? [...this.#running.keys()]
            .filter((one) => one.startsWith(prefix))
            .map((one) => one.slice(prefix.length))
        : [key];
    for (const one of keys) {
      const controller = this.#running.get(prefix + one);
      if (controller !== undefined && (key !== undefined || (await this.#isCancelled(queue, one))))
        controller.abort(new JobStopped('cancelled'));
    }
  }

  async #isCancelled(queue: string, key: string): Promise<boolean> {
    return (await this.#connection.client.exists(cancelKey(queue, key))) === 1;
  }
}
