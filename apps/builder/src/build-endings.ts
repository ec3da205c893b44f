import { Inject, Injectable } from '@nestjs/common';
import { type Caller, Trail } from '#libs/audit';
import { type Clock, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger, Metrics } from '#libs/server';
import { BuildLogs } from './build-logs.js';
import { type Build, BuildsStore } from './builds.store.js';
import { ContextsService } from './contexts.service.js';
import { ended } from './events.js';
import { isOver } from './present.js';

/** How a build ends. */
export type BuildEnd =
  | { readonly status: 'Complete'; readonly imageSize: number; readonly imageChecksum: string }
  | { readonly status: 'Complete'; readonly failureReason: string }
  | { readonly status: 'Cancelled' };

/**
 * Ends builds: each once, whoever says so first. The record is final before the last line of the log is written, and the log before its streams are
 * closed (builder contract §11): who sees a stream end finds the result.
 */
@Injectable()
export class BuildEndings {
  readonly #ended;
  readonly #waited;
  readonly #ran;

  constructor(
    metrics: Metrics,
    private readonly builds: BuildsStore,
    private readonly logs: BuildLogs,
    private readonly contexts: ContextsService,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.#ended = metrics.counter({
      name: 'scs_builder_builds_ended_total',
      help: 'Builds that ended',
      labels: { result: ['complete', 'failed', 'cancelled'] },
    });
    this.#waited = metrics.times({
      name: 'scs_builder_wait_seconds',
      help: 'From the submission of a build to its start; of builds that ended',
      buckets: [1, 5, 15, 60, 300, 1800, 7200],
    });
    this.#ran = metrics.times({
      name: 'scs_builder_run_seconds',
      help: 'From the start of a build to its end, lost workers included; of builds that ended',
      buckets: [5, 15, 60, 300, 900, 1800, 3600, 7200],
    });
  }

  /**
   * Ends a build that is not over.
   * @param actor whose doing it is; null for the builder's own
   * @param unless asked with the build as it is: true leaves it alone
   * @returns whether this call ended it
   */
  async end(
    id: string,
    end: BuildEnd,
    actor: Caller | null,
    unless: (build: Build) => boolean = () => false,
  ): Promise<boolean> {
    let first = false;
    const change = (build: Build): Build | undefined => {
      first = !isOver(build) && !unless(build);
      if (!first) return undefined;
      const { tokens: _, tryId: __, ...rest } = build;
      return { ...rest, ...end, completeTime: this.clock.now().toISOString() };
    };
    const after = await this.builds.record(id, change, (build) => this.trail.write(ended(id, build, actor)));
    if (!first || after === undefined) return false;
    this.#count(after);
    await this.settle(id, after);
    return true;
  }

  #count({ status, failureReason, submitTime, startTime, completeTime = submitTime }: Build): void {
    const complete = failureReason === undefined ? 'complete' : 'failed';
    this.#ended({ result: status === 'Cancelled' ? 'cancelled' : complete });
    this.#waited(secondsBetween(submitTime, startTime ?? completeTime));
    if (startTime !== undefined) this.#ran(secondsBetween(startTime, completeTime));
  }

  /**
   * What follows the end in the record: last line, streams, context. Repeatable, for builds whose builder was killed in between. A disk that is full
   * takes no line, and keeps no build from ending.
   */
  async settle(id: string, build: Build): Promise<void> {
    await this.logs.end(id, lastLine(build)).catch((error: unknown) => {
      this.log.error({ build: id }, `The end of a build log could not be written: ${messageOf(error)}`);
    });
    try {
      await this.builds.update(id, (current) =>
        current.logComplete ? undefined : { ...current, logComplete: true },
      );
    } finally {
      this.logs.wake(id);
    }
    if (build.contextDigest !== undefined) await this.contexts.releaseFromBuild(build.contextDigest, id);
  }
}

function lastLine({ status, failureReason }: Build): string | undefined {
  if (status === 'Cancelled') return 'Build cancelled.';
  return failureReason === undefined ? undefined : `Build failed: ${failureReason}`;
}

const secondsBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1000;
