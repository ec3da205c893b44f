import { Inject, Injectable } from '@nestjs/common';
import type { Actor, JobOutcome, Ticket } from '#libs/contract';
import type { BlobReader } from '#libs/blobs';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '#libs/server';
import { z } from 'zod';
import { BuildLogs } from './build-logs.js';
import { endLog } from './builds.service.js';
import { type Build, BuildsStore } from './builds.store.js';
import { ContextsService } from './contexts.service.js';
import { LIMITS } from './limits.js';
import { mayWork } from './policy.js';
import { isOver } from './present.js';
import { Seal } from './sealed.js';

const JobTokens = z.object({ builder: z.string(), library: z.string() });

/** Builds as their workers see them. */
@Injectable()
export class JobsService {
  constructor(
    private readonly builds: BuildsStore,
    private readonly contexts: ContextsService,
    private readonly logs: BuildLogs,
    private readonly seal: Seal,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Begins a try of a build and hands over what it needs. The caller has proved to be a worker.
   * @throws DomainError `gone` when the build is over
   */
  async ticket(id: string): Promise<Ticket> {
    let over = true;
    const build = await this.builds.update(id, (current) => {
      over = isOver(current);
      return over
        ? undefined
        : {
            ...current,
            status: 'InProgress',
            startTime: current.startTime ?? this.#now(),
            attempt: current.attempt + 1,
          };
    });
    if (build === undefined || over || build.tokens === undefined) throw gone();
    if (build.attempt > LIMITS.attempts) {
      await this.#finish(id, {
        outcome: 'failed',
        reason: `The build was tried ${LIMITS.attempts} times and each time its worker was lost`,
      });
      throw gone();
    }
    const tokens = JobTokens.parse(JSON.parse(this.seal.unseal(build.tokens, id)));
    return {
      builderToken: tokens.builder,
      libraryToken: tokens.library,
      definition: build.definition,
      place: build.place,
      tags: build.tags,
      ...(build.libraryUrl !== undefined && { libraryUrl: build.libraryUrl }),
      hasContext: build.contextDigest !== undefined,
      workingDirectory: build.workingDirectory,
      logSize: await this.logs.size(id),
      attempt: build.attempt,
      timeLimit: LIMITS.buildSeconds,
    };
  }

  /** Appends to the log. Says how much there is, and whether the build is still wanted. */
  async append(
    id: string,
    offset: number,
    bytes: Uint8Array,
    actor: Actor,
  ): Promise<{ size: number; wanted: boolean }> {
    const build = await this.#required(id, actor);
    if (isOver(build)) return { size: await this.logs.size(id), wanted: false };
    return { size: await this.logs.append(id, offset, bytes), wanted: true };
  }

  /** The build context as it was uploaded. @throws DomainError `not_found` when the build has none */
  async context(id: string, actor: Actor): Promise<BlobReader> {
    const build = await this.#required(id, actor);
    if (build.contextDigest === undefined) throw new DomainError('not_found', 'This build has no context');
    return this.contexts.open(build.contextDigest);
  }

  /** Records how the build ended: once, whoever says so first (builder contract §11). */
  async finish(id: string, outcome: JobOutcome, actor: Actor): Promise<void> {
    await this.#required(id, actor);
    await this.#finish(id, outcome);
  }

  /** The queue gave a build up: its worker was lost too often. */
  async lost(id: string, reason: string): Promise<void> {
    await this.#finish(id, { outcome: 'failed', reason });
  }

  async #finish(id: string, outcome: JobOutcome): Promise<void> {
    let first = false;
    const before = await this.builds.get(id);
    if (before === undefined || isOver(before.value)) return;
    if (outcome.outcome === 'failed') await this.logs.say(id, `Build failed: ${outcome.reason}`);
    await this.builds.update(id, (build) => {
      first = !isOver(build);
      if (!first) return undefined;
      const { tokens: _, ...rest } = build;
      const end = { ...rest, status: 'Complete' as const, completeTime: this.#now() };
      return outcome.outcome === 'failed'
        ? { ...end, failureReason: outcome.reason }
        : { ...end, imageSize: outcome.imageSize, imageChecksum: outcome.imageChecksum };
    });
    if (!first) return;
    await endLog(this.builds, this.logs, id);
    if (before.value.contextDigest !== undefined)
      await this.contexts.releaseFromBuild(before.value.contextDigest, id);
  }

  async #required(id: string, actor: Actor): Promise<Build> {
    const decision = mayWork(actor, id);
    if (!decision.allowed) throw new DomainError('forbidden', decision.reason);
    const build = await this.builds.get(id);
    if (build === undefined) throw gone();
    return build.value;
  }

  #now(): string {
    return this.clock.now().toISOString();
  }
}

function gone(): DomainError {
  return new DomainError('gone', 'Nobody wants this build any more', { reason: 'build_over' });
}
