import { Injectable } from '@nestjs/common';
import { METRICS, Metrics } from '#libs/server';
import { BuildQueue } from './build-queue.js';
import { BuildsStore } from './builds.store.js';
import { LIMITS } from './limits.js';

/** What the metrics say of builds that are not over. */
@Injectable()
export class BuildNumbers {
  constructor(metrics: Metrics, builds: BuildsStore, queue: BuildQueue) {
    metrics.gauge(
      {
        name: 'scs_builder_builds',
        help: `Builds that are not over, as their records say; ${LIMITS.counted} stands for that many or more`,
        labels: ['state'],
        every: METRICS.databaseSeconds,
      },
      async () => {
        const [pending, running] = await Promise.all([
          builds.count('Pending', LIMITS.counted),
          builds.count('InProgress', LIMITS.counted),
        ]);
        return [
          { value: pending, labels: { state: 'pending' } },
          { value: running, labels: { state: 'running' } },
        ];
      },
    );
    metrics.gauge(
      {
        name: 'scs_builder_queue_jobs',
        help: 'Jobs in the queue: waiting, or active with a worker; not there while the queue is not',
        labels: ['state'],
        every: METRICS.databaseSeconds,
      },
      async () =>
        Object.entries(await queue.counts()).map(([state, value]) => ({ value, labels: { state } })),
    );
    metrics.gauge(
      {
        name: 'scs_builder_queue_up',
        help: 'Whether the queue answers: 1 or 0',
        every: METRICS.databaseSeconds,
      },
      async () => [
        {
          value: await queue.requireAvailable().then(
            () => 1,
            () => 0,
          ),
        },
      ],
    );
  }
}
