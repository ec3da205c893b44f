import { Inject, Injectable } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import type { Actor, BuildMetadata, BuildRequest } from '#libs/contract';
import { type Clock, DomainError, expected, isObjectId, newObjectId } from '#libs/core';
import { CLOCK, TokenExchange } from '#libs/server';
import { BuildLogs } from './build-logs.js';
import { BuildQueue } from './build-queue.js';
import { type Build, BuildsStore, type StoredBuild } from './builds.store.js';
import { ContextsService } from './contexts.service.js';
import { parseDestination } from './destination.js';
import { LIMITS } from './limits.js';
import { isAdministrator, mayPublish, maySee } from './policy.js';
import { type Addresses, isOver, presentBuild } from './present.js';
import { Seal } from './sealed.js';
import { parseSubmission } from './submit.request.js';

export const ARCHITECTURE = Symbol('architecture that this builder builds for');

export interface ListQuery {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly user?: string | undefined;
  readonly includeDeleted?: string | undefined;
}

/** The tokens that a worker needs, exchanged from the submitter's at submit. */
export interface JobTokens {
  readonly builder: string;
  readonly library: string;
}

/** Builds from submit to their record: what people ask for. What workers ask for is in {@link JobsService}. */
@Injectable()
export class BuildsService {
  readonly #addresses: Addresses;

  constructor(
    private readonly builds: BuildsStore,
    private readonly contexts: ContextsService,
    private readonly queue: BuildQueue,
    private readonly logs: BuildLogs,
    private readonly seal: Seal,
    private readonly tokens: TokenExchange,
    config: ScsConfig,
    @Inject(ARCHITECTURE) private readonly architecture: string,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#addresses = { builderUrl: config.serviceUrl('builder'), libraryUrl: config.serviceUrl('library') };
  }

  /**
   * Takes a build in: checked, recorded, queued. Nothing slow happens here (builder contract §2.4).
   * @throws DomainError `bad_request`, `forbidden`, `not_found` for a context that is not there, `too_many_requests`, `unavailable`
   */
  async submit(request: BuildRequest, actor: Actor): Promise<BuildMetadata> {
    const submission = parseSubmission(request, this.architecture);
    const id = newObjectId();
    const destination = parseDestination(submission.libraryRef, actor.username, id);
    const decision = mayPublish(actor, destination.place);
    if (!decision.allowed) throw new DomainError('forbidden', decision.reason, { reason: 'may_not_publish' });
    await this.queue.requireAvailable();
    await this.#requireRoom(actor);
    const tokens = await this.#exchange(actor, id, destination.place);
    if (submission.contextDigest !== undefined)
      await this.contexts.holdForBuild(submission.contextDigest, id, actor);
    const build: Build = {
      accountId: actor.accountId,
      username: actor.username,
      status: 'Pending',
      submitTime: this.clock.now().toISOString(),
      definition: submission.text,
      place: destination.place,
      tags: [...destination.tags],
      architecture: submission.architecture,
      ...(submission.libraryUrl !== undefined && { libraryUrl: submission.libraryUrl }),
      ...(submission.contextDigest !== undefined && { contextDigest: submission.contextDigest }),
      workingDirectory: submission.workingDirectory,
      deleted: false,
      logComplete: false,
      attempt: 0,
      tokens: this.seal.seal(JSON.stringify(tokens), id),
    };
    await this.builds.create(id, build);
    // A crash between the two leaves a pending build without a job: recovery queues it at the next start.
    await this.queue.add(id);
    return presentBuild({ id, value: build }, this.#addresses);
  }

  /** @throws DomainError `bad_request` for what is no id, `not_found` also for builds of others */
  async status(id: string, actor: Actor): Promise<BuildMetadata> {
    return presentBuild(await this.find(id, actor), this.#addresses);
  }

  /** Newest first; at most 200. Only administrators see builds of others (builder contract §3.4). */
  async list(query: ListQuery, actor: Actor): Promise<BuildMetadata[]> {
    const everybody = isAdministrator(actor) && query.user === '';
    const asked = query.user === undefined || query.user === '' ? actor.accountId : query.user;
    const accountId = everybody ? undefined : isAdministrator(actor) ? asked : actor.accountId;
    const found = await this.builds.list({
      accountId,
      from: timeOf(query.from),
      to: timeOf(query.to),
      limit: LIMITS.listed,
    });
    return found
      .filter(({ value }) => !value.deleted || query.includeDeleted === 'true')
      .map((build) => presentBuild(build, this.#addresses));
  }

  /** Ends a build that is not over; one that is stays as it is (builder contract §3.6). */
  async cancel(id: string, actor: Actor): Promise<void> {
    await this.find(id, actor);
    let cancelled = false;
    const after = await this.builds.update(id, (build) => {
      cancelled = !isOver(build);
      if (!cancelled) return undefined;
      const { tokens: _, ...rest } = build;
      return { ...rest, status: 'Cancelled', completeTime: this.clock.now().toISOString() };
    });
    if (!cancelled || after === undefined) return;
    await this.queue.cancel(id);
    await this.logs.say(id, 'Build cancelled.');
    await endLog(this.builds, this.logs, id);
    if (after.contextDigest !== undefined) await this.contexts.releaseFromBuild(after.contextDigest, id);
  }

  /** Hides a build from lists; a running one is cancelled first. */
  async delete(id: string, actor: Actor): Promise<void> {
    await this.cancel(id, actor);
    await this.builds.update(id, (build) => ({ ...build, deleted: true }));
  }

  /** The log so far. */
  async output(id: string, actor: Actor): Promise<Buffer> {
    await this.find(id, actor);
    return this.logs.read(id, 0, await this.logs.size(id));
  }

  /** A build that the actor may see. @throws DomainError */
  async find(id: string, actor: Actor): Promise<StoredBuild> {
    if (!isObjectId(id))
      throw new DomainError('bad_request', expected('24 hexadecimal digits', 'the id of a build', id));
    const build = await this.builds.get(id);
    if (build === undefined || !maySee(actor, build.value).allowed) {
      throw new DomainError('not_found', 'There is no such build', { reason: 'build_not_found' });
    }
    return build;
  }

  async #requireRoom(actor: Actor): Promise<void> {
    const recent = await this.builds.list({
      accountId: actor.accountId,
      from: undefined,
      to: undefined,
      limit: LIMITS.listed,
    });
    const open = recent.filter(({ value }) => !isOver(value)).length;
    if (open >= LIMITS.pendingPerAccount) {
      throw new DomainError(
        'too_many_requests',
        `${open} builds of ${actor.username} are waiting or running; wait for some of them`,
      );
    }
  }

  /** Good for the queue and two tries; each token names one service and this build. */
  async #exchange(actor: Actor, id: string, container: string): Promise<JobTokens> {
    const subject = { job: id, container };
    const lifetime = LIMITS.buildSeconds * (LIMITS.attempts + 1);
    const [builder, library] = await Promise.all([
      this.tokens.exchange(actor, { audience: 'builder', scopes: ['build'], subject, lifetime }),
      this.tokens.exchange(actor, {
        audience: 'library',
        scopes: ['library:read', `library:write:${container}`],
        subject,
        lifetime,
      }),
    ]);
    return { builder: builder.token, library: library.token };
  }
}

/** Makes the log durable, then lets its followers go. */
export async function endLog(builds: BuildsStore, logs: BuildLogs, id: string): Promise<void> {
  await logs.sync(id);
  await builds.update(id, (build) => ({ ...build, logComplete: true }));
  logs.wake(id);
}

/** Empty means absent: the admin plugin sends parameters that it did not set as empty strings. */
function timeOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new DomainError('bad_request', expected('an RFC 3339 time', 'from and to', text));
  return time.toISOString();
}
