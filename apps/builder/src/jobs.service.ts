import { Inject, Injectable } from '@nestjs/common';
import type { Actor, JobOutcome, Ticket } from '#libs/contract';
import type { BlobReader } from '#libs/blobs';
import { type Clock, DomainError, messageOf, oneLine } from '#libs/core';
import { CLOCK, LOG, type Logger, TokenVerifier } from '#libs/server';
import { z } from 'zod';
import { BuildEndings } from './build-endings.js';
import { BuildLogs } from './build-logs.js';
import { type Build, BuildsStore } from './builds.store.js';
import { ContextsService } from './contexts.service.js';
import { LIMITS } from './limits.js';
import { mayWork } from './policy.js';
import { isOver } from './present.js';
import { Seal } from './sealed.js';

const JobTokens = z.object({ builder: z.string(), library: z.string(), keystore: z.string() });

/** Of a build whose tokens are gone, were altered or moved here from another build, or are sealed with a key that is gone. */
const NO_RIGHTS = 'the rights that were kept for it are not there any more. Submit it again';

/** Builds as their workers see them. */
@Injectable()
export class JobsService {
  constructor(
    private readonly builds: BuildsStore,
    private readonly contexts: ContextsService,
    private readonly logs: BuildLogs,
    private readonly endings: BuildEndings,
    private readonly seal: Seal,
    private readonly verifier: TokenVerifier,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /**
   * Begins a try of a build and hands over what it needs; asked again for the same try, it only hands over. The caller has proved to be a worker.
   * @throws DomainError `gone` when the build is over, or ends now because it cannot be done any more; `unavailable` while it is not known
   *   which tokens were revoked
   */
  async ticket(id: string, tryId: string): Promise<Ticket> {
    this.verifier.requireFresh();
    const build = await this.builds.update(id, (current) =>
      isOver(current) || current.tryId === tryId || this.#tokensOf(id, current) === undefined
        ? undefined
        : {
            ...current,
            status: 'InProgress',
            startTime: current.startTime ?? this.clock.now().toISOString(),
            attempt: current.attempt + 1,
            tryId,
          },
    );
    if (build === undefined || isOver(build)) throw gone();
    const tokens = this.#tokensOf(id, build);
    const hopeless = this.#whyHopeless(build);
    if (tokens === undefined || hopeless !== undefined) {
      const failureReason = hopeless ?? NO_RIGHTS;
      await this.endings.end(id, { status: 'Complete', failureReason }, null);
      throw gone();
    }
    return {
      builderToken: tokens.builder,
      libraryToken: tokens.library,
      keystoreToken: tokens.keystore,
      definition: await this.builds.definition(id),
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

  /** Appends to the log. Says how much there is, and whether the build is still wanted of this worker. */
  async append(
    id: string,
    tryId: string,
    { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
    actor: Actor,
  ): Promise<{ size: number; wanted: boolean }> {
    await this.#workedOn(id, actor);
    const size = await this.logs.append(id, offset, bytes, async () => {
      const build = (await this.builds.get(id))?.value;
      return build !== undefined && !isOver(build) && build.tryId === tryId;
    });
    return { size: size ?? (await this.logs.size(id)), wanted: size !== undefined };
  }

  /** The build context as it was uploaded. @throws DomainError `not_found` when the build has none */
  async context(id: string, actor: Actor): Promise<BlobReader> {
    const build = await this.#workedOn(id, actor);
    if (build.contextDigest === undefined) throw new DomainError('not_found', 'This build has no context');
    return this.contexts.open(build.contextDigest);
  }

  /** Records how a try ended (builder contract §11). What a try says that is not the build's own any more changes nothing. */
  async finish(id: string, tryId: string, outcome: JobOutcome, actor: Actor): Promise<void> {
    await this.#workedOn(id, actor);
    const isForeign = (build: Build): boolean => build.tryId !== tryId;
    if (outcome.outcome === 'succeeded') {
      const { imageSize, imageChecksum } = outcome;
      await this.endings.end(id, { status: 'Complete', imageSize, imageChecksum }, actor, isForeign);
    } else if (outcome.outcome === 'failed') {
      const failureReason = oneLine(outcome.reason);
      await this.endings.end(id, { status: 'Complete', failureReason }, actor, isForeign);
    } else {
      await this.builds.update(id, (build) => {
        if (isOver(build) || isForeign(build)) return undefined;
        const { tryId: _, ...rest } = build;
        return { ...rest, status: 'Pending', attempt: build.attempt - 1 };
      });
    }
  }

  /** The queue gave a build up. */
  async lost(id: string, reason: string): Promise<void> {
    const failureReason = oneLine(reason).slice(0, 1000);
    await this.endings.end(id, { status: 'Complete', failureReason }, null);
  }

  /** The build that a worker's token was made for. @throws DomainError `forbidden` for any other token */
  async #workedOn(id: string, actor: Actor): Promise<Build> {
    const build = (await this.builds.get(id))?.value;
    const decision = mayWork(actor, id, build);
    if (!decision.allowed) throw new DomainError('forbidden', decision.reason);
    // Not allowed when there is none.
    if (build === undefined) throw gone();
    return build;
  }

  /** The exchanged tokens of a build; undefined when they are not there, or were not sealed here for this build. */
  #tokensOf(id: string, { tokens }: Build): z.infer<typeof JobTokens> | undefined {
    try {
      return tokens === undefined ? undefined : JobTokens.parse(JSON.parse(this.seal.unseal(tokens, id)));
    } catch (error) {
      this.log.error({ build: id }, `The sealed tokens of a build cannot be opened: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** A sentence when no worker can do the build any more. */
  #whyHopeless(build: Build): string | undefined {
    if (build.attempt > LIMITS.attempts)
      return `it was tried ${LIMITS.attempts} times, and each time its worker was lost`;
    const { accountId, tokenId = '', originTokenId = '', keyId } = build;
    if (this.verifier.hasEnded({ accountId, tokenId, originTokenId, keyId }))
      return 'the token with which it was submitted was revoked. Submit it again with another one';
    if (new Date(build.tokensExpireAt ?? 0).getTime() <= this.clock.now().getTime())
      return `it was not done within ${LIMITS.totalSeconds / 3600} hours, and its rights have expired. Submit it again`;
    return undefined;
  }
}

function gone(): DomainError {
  return new DomainError('gone', 'Nobody wants this build any more', { reason: 'build_over' });
}
