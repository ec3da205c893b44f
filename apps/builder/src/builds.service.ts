import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { ScsConfig } from '#libs/config';
import type { Actor, BuildMetadata, BuildRequest } from '#libs/contract';
import { type Clock, DomainError, expected, isObjectId, newObjectId, Turns } from '#libs/core';
import { CLOCK, TokenExchange } from '#libs/server';
import { BuildEndings } from './build-endings.js';
import { BuildLogs, type LogSnapshot } from './build-logs.js';
import { BuildQueue } from './build-queue.js';
import { type Build, BuildsStore, type StoredBuild } from './builds.store.js';
import { ContextsService } from './contexts.service.js';
import { type Destination, parseDestination } from './destination.js';
import { hidden, submitted } from './events.js';
import { LIMITS } from './limits.js';
import { isAdministrator, mayPublish, maySee } from './policy.js';
import { type Addresses, isOver, presentBuild } from './present.js';
import { Seal } from './sealed.js';
import { parseSubmission, type Submission } from './submit.request.js';

export const ARCHITECTURE = Symbol('architecture that this builder builds for');

export interface ListQuery {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly user?: string | undefined;
  readonly includeDeleted?: string | undefined;
}

/** The tokens that a worker needs, exchanged from the submitter's at submit. */
interface JobTokens {
  readonly builder: string;
  readonly library: string;
  readonly keystore: string;
  /** Of whichever ends first. */
  readonly expiresAt: Date;
}

/** Builds from submit to their record: what people ask for. What workers ask for is in {@link JobsService}. */
@Injectable()
export class BuildsService {
  readonly #addresses: Addresses;
  /** Builds of one account are taken in one after the other: each counts for the next. */
  readonly #turns = new Turns();

  constructor(
    private readonly builds: BuildsStore,
    private readonly contexts: ContextsService,
    private readonly queue: BuildQueue,
    private readonly logs: BuildLogs,
    private readonly endings: BuildEndings,
    private readonly seal: Seal,
    private readonly tokens: TokenExchange,
    private readonly trail: Trail,
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
    if (!decision.allowed)
      throw new DomainError('forbidden', decision.reason, {
        reason: 'may_not_publish',
        remedy: `Name a place of your own, for example library://${actor.username}/…, or use a token with the scope library:write.`,
        about: { kind: 'container', name: destination.place },
      });
    await this.queue.requireAvailable();
    return this.#turns.take(actor.accountId, async () => {
      await this.#requireRoom(actor);
      return this.#takeIn(id, submission, destination, actor);
    });
  }

  async #takeIn(
    id: string,
    submission: Submission,
    destination: Destination,
    actor: Actor,
  ): Promise<BuildMetadata> {
    const { expiresAt, ...tokens } = await this.#exchange(actor, id, destination.place);
    if (submission.contextDigest !== undefined)
      await this.contexts.holdForBuild(submission.contextDigest, id, actor);
    const build: Build = {
      accountId: actor.accountId,
      username: actor.username,
      status: 'Pending',
      submitTime: this.clock.now().toISOString(),
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
      tokensExpireAt: expiresAt.toISOString(),
      tokenId: actor.tokenId,
      originTokenId: actor.originTokenId,
      ...(actor.keyId !== undefined && { keyId: actor.keyId }),
    };
    try {
      const entry = this.trail.write(submitted(id, build, actor));
      await this.builds.create(id, build, submission.text, entry);
    } catch (error) {
      if (build.contextDigest !== undefined)
        await this.contexts.releaseFromBuild(build.contextDigest, id).catch(() => undefined);
      throw error;
    }
    // From here on the build is taken: without a queue, or after a crash, recovery brings it there.
    await this.queue.add(id);
    return presentBuild({ id, value: build }, this.#addresses, submission.text);
  }

  /** @throws DomainError `bad_request` for what is no id, `not_found` also for builds of others */
  async status(id: string, actor: Actor): Promise<BuildMetadata> {
    const build = await this.find(id, actor);
    return presentBuild(build, this.#addresses, await this.builds.definition(id));
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
    const shown = found.filter(({ value }) => !value.deleted || query.includeDeleted === 'true');
    const definitions = await this.builds.definitions(shown.map(({ id }) => id));
    let room: number = LIMITS.listedDefinitionBytes;
    return shown.map((build) => {
      const definition = definitions.get(build.id) ?? '';
      room -= definition.length;
      return presentBuild(build, this.#addresses, room < 0 ? undefined : definition);
    });
  }

  /** Ends a build that is not over; one that is stays as it is (builder contract §3.6). */
  async cancel(id: string, actor: Actor): Promise<void> {
    await this.find(id, actor);
    // Stored first: whoever has the build learns of it by the queue at once, and with its next piece of log in any case.
    if (await this.endings.end(id, { status: 'Cancelled' }, actor)) await this.queue.cancel(id);
  }

  /** Hides a build from lists and removes its log; a running one is cancelled first. */
  async delete(id: string, actor: Actor): Promise<void> {
    await this.cancel(id, actor);
    await this.builds.record(
      id,
      (build) => (build.deleted ? undefined : { ...build, deleted: true }),
      (build) => this.trail.write(hidden(id, build, actor)),
    );
    await this.logs.remove(id);
  }

  /** The log so far. The caller closes it. */
  async output(id: string, actor: Actor): Promise<LogSnapshot> {
    await this.find(id, actor);
    return this.logs.open(id);
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

  /**
   * Whether somebody waits for a build that was submitted with this very token: it runs, or has just ended. Then the token is taken
   * for it also when it has expired (ADR 10).
   */
  async isAwaited(id: string, { tokenId }: Actor): Promise<boolean> {
    const build = isObjectId(id) ? (await this.builds.get(id))?.value : undefined;
    if (build?.tokenId !== tokenId) return false;
    const ended = isOver(build) ? new Date(build.completeTime ?? 0).getTime() : Infinity;
    return this.clock.now().getTime() < ended + LIMITS.afterEndSeconds * 1000;
  }

  async #requireRoom({ accountId, username }: Actor): Promise<void> {
    const limit = LIMITS.pendingPerAccount;
    if ((await this.builds.open(accountId, limit)) < limit) return;
    throw new DomainError(
      'too_many_requests',
      `${limit} builds of ${username} are waiting or running; wait until some of them are done`,
      { reason: 'too_many_builds', retryAfter: LIMITS.recoverySeconds },
    );
  }

  /** Each token names one service and this build. */
  async #exchange(actor: Actor, id: string, container: string): Promise<JobTokens> {
    const subject = { job: id, container };
    const lifetime = LIMITS.totalSeconds;
    const [builder, library, keystore] = await Promise.all([
      this.tokens.exchange(actor, { audience: 'builder', scopes: ['build'], subject, lifetime }),
      this.tokens.exchange(actor, {
        audience: 'library',
        scopes: ['library:read', `library:write:${container}`],
        subject,
        lifetime,
      }),
      this.tokens.exchange(actor, { audience: 'keystore', scopes: ['build'], subject, lifetime }),
    ]);
    const ends = [builder, library, keystore].map(({ expiresAt }) => expiresAt.getTime());
    return {
      builder: builder.token,
      library: library.token,
      keystore: keystore.token,
      expiresAt: new Date(Math.min(...ends)),
    };
  }
}

/** Empty means absent: the admin plugin sends parameters that it did not set as empty strings. */
function timeOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new DomainError('bad_request', expected('an RFC 3339 time', 'from and to', text));
  return time.toISOString();
}
