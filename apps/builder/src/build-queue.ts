import { DomainError } from '#libs/core';
import { type JobQueue, type JobReference, queueAbsent } from '#libs/queue';

/**
 * The queue of builds, or the lack of one. A cancellation or an addition that Redis cannot take is not lost: what a build is to be stands in its
 * document, and recovery brings the queue in line.
 */
export class BuildQueue {
  constructor(
    private readonly queue: JobQueue | undefined,
    private readonly lane: string,
  ) {}

  /** @throws DomainError `unavailable` with a sentence when builds cannot be queued now */
  async requireAvailable(): Promise<void> {
    if (this.queue === undefined) throw queueAbsent();
    await this.queue.check();
  }

  /** Adding a build that is queued already changes nothing. The caller has stored it: what Redis cannot take now, recovery adds later. */
  async add(id: string): Promise<void> {
    await this.queue?.add('build', { id }, { lane: this.lane }).catch(unlessUnavailable);
  }

  /** Stops the worker that has the build, soon. The caller has stored the cancellation. */
  async cancel(id: string): Promise<void> {
    // The worker hears of it with its next piece of log.
    await this.queue?.cancel(this.#reference(id)).catch(unlessUnavailable);
  }

  /** Builds whose workers were lost too often. */
  async failed(): Promise<readonly { readonly id: string; readonly reason: string }[]> {
    const found = (await this.queue?.failed('build', this.lane)) ?? [];
    return found.map(({ key, reason }) => ({ id: key, reason }));
  }

  async forget(id: string): Promise<void> {
    await this.queue?.forget(this.#reference(id));
  }

  /** How many jobs wait, and how many have a worker. @throws DomainError `unavailable` */
  async counts(): Promise<{ readonly waiting: number; readonly active: number }> {
    if (this.queue === undefined) throw queueAbsent();
    return this.queue.counts('build', this.lane);
  }

  async close(): Promise<void> {
    await this.queue?.close();
  }

  #reference(id: string): JobReference {
    return { name: 'build', key: id, lane: this.lane };
  }
}

function unlessUnavailable(error: unknown): void {
  if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
}
