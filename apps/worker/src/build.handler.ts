import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Inject, Injectable } from '@nestjs/common';
import { buildInEnclosure, type BuildLog, type BuiltImage, WorkFolder } from '#libs/build';
import { ScsConfig } from '#libs/config';
import type { JobOutcome, Ticket } from '#libs/contract';
import { DomainError, messageOf, newObjectId, oneLine } from '#libs/core';
import { type JobContext, type JobHandler, type JobPayload, JobStopped } from '#libs/queue';
import { LOG, type Logger, Metrics } from '#libs/server';
import { BuilderConnection } from './builder-connection.js';
import { Connections, type PushRequest } from './connections.js';
import { DiskWatch } from './disk-watch.js';
import { isStopped, reasonOf, TimedOut } from './failure.js';
import { JobsFolder } from './jobs-folder.js';
import { LIMITS } from './limits.js';
import { LogWriter } from './log-writer.js';
import { OutputText } from './text.js';

/** What one try of a build works with. */
interface Try {
  readonly id: string;
  readonly ticket: Ticket;
  readonly connection: BuilderConnection;
  readonly writer: LogWriter;
  readonly signal: AbortSignal;
}

/** Works on one build: ticket, build without privilege, push with the submitter's derived token, outcome. */
@Injectable()
export class BuildHandler implements JobHandler {
  readonly name = 'build';
  readonly #tries;
  #building = 0;

  constructor(
    metrics: Metrics,
    private readonly connections: Connections,
    private readonly config: ScsConfig,
    private readonly jobs: JobsFolder,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.#tries = metrics.counter({
      name: 'scs_worker_tries_total',
      help: 'Tries of builds by this worker; stopped = cancelled, taken by another worker, or given back',
      labels: { result: ['succeeded', 'failed', 'stopped'] },
    });
    metrics.gauge({ name: 'scs_worker_building', help: 'Builds that this worker has now' }, () => [
      { value: this.#building },
    ]);
  }

  async handle(payload: JobPayload<'build'>, context: JobContext): Promise<void> {
    this.#building += 1;
    try {
      await this.#handle(payload, context);
    } finally {
      this.#building -= 1;
    }
  }

  async #handle({ id }: JobPayload<'build'>, { signal }: JobContext): Promise<void> {
    const tryId = newObjectId();
    const ticket = await this.#ticket(id, tryId, signal);
    if (ticket === undefined) return;
    const connection = new BuilderConnection(id, tryId, this.connections.builder(ticket.builderToken));
    const stop = new AbortController();
    const onSignal = (): void => {
      if (isClosing(signal)) connection.hurry();
      stop.abort(signal.reason);
    };
    signal.addEventListener('abort', onSignal, { once: true });
    // It may have come while the ticket was on its way.
    if (signal.aborted) onSignal();
    const limit = setTimeout(() => stop.abort(new TimedOut(ticket.timeLimit)), ticket.timeLimit * 1000);
    const writer = new LogWriter(connection, ticket.logSize, (why) => stop.abort(why));
    try {
      if (ticket.attempt > 1) writer.line(`The worker was lost; this is try ${ticket.attempt}.`);
      // Whoever waits sees at once that the build is waited for no more, before its program has started.
      writer.line(
        `INFO:    A worker has the build; it may take ${Math.round(ticket.timeLimit / 60)} minutes`,
      );
      const outcome = await this.#work({ id, ticket, connection, writer, signal: stop.signal });
      this.#tries({ result: outcome === undefined ? 'stopped' : resultOf(outcome) });
      if (outcome === undefined) await this.#leave({ ticket, writer }, connection, signal);
      else {
        await writer.close();
        await connection.finish(outcome);
      }
    } finally {
      clearTimeout(limit);
      signal.removeEventListener('abort', onSignal);
    }
  }

  async #ticket(id: string, tryId: string, signal: AbortSignal): Promise<Ticket | undefined> {
    try {
      return await BuilderConnection.ticket(
        this.connections.builder(undefined),
        { id, tryId, proof: () => this.connections.proof() },
        signal,
      );
    } catch (error) {
      if (error instanceof DomainError && error.code === 'gone') return undefined;
      throw error;
    }
  }

  /**
   * Cancelled, or another worker has the build by now: nothing more is to be done. Or this process ends: the build is given back.
   * @throws JobStopped when the queue stopped the job
   */
  async #leave(
    { ticket, writer }: Pick<Try, 'ticket' | 'writer'>,
    connection: BuilderConnection,
    signal: AbortSignal,
  ): Promise<void> {
    const closing = isClosing(signal);
    // Stock programs follow no log over a restart: whoever reads this looks for the image there.
    if (closing)
      writer.line(
        `INFO:    The worker is stopping; the build of ${referenceOf(ticket)} begins anew when there is one again.`,
      );
    await writer.close().catch(() => undefined);
    if (closing)
      await connection.finish({ outcome: 'returned' }).catch((error: unknown) => {
        this.log.warn(`A build could not be given back, and counts as lost: ${messageOf(error)}`);
      });
    signal.throwIfAborted();
  }

  /** Always ends with an outcome, or with none when nobody wants one. Nothing of the build is left. */
  async #work(one: Try): Promise<JobOutcome | undefined> {
    const { id, signal } = one;
    let folder: WorkFolder | undefined;
    try {
      folder = await WorkFolder.at(this.jobs.of(id));
      const image = join(folder.path, 'finished.sif');
      const { architecture } = await this.#build(one, folder, image);
      return await this.#publish({ ...one, image, architecture });
    } catch (error) {
      if (isStopped(signal.reason)) return undefined;
      const { reason, isBug } = reasonOf(signal.aborted ? signal.reason : error);
      if (isBug) this.log.error({ build: id, error: messageOf(error) }, 'A build failed by a bug');
      return { outcome: 'failed', reason: oneLine(reason).slice(0, 1000) };
    } finally {
      await folder
        ?.remove()
        .catch((error: unknown) => this.log.error({ build: id }, `A work folder stays: ${messageOf(error)}`));
    }
  }

  async #build(one: Try, folder: WorkFolder, destination: string): Promise<BuiltImage> {
    const { ticket, writer } = one;
    const stop = new AbortController();
    const signal = AbortSignal.any([one.signal, stop.signal]);
    const disk = DiskWatch.start(folder.path, (why) => stop.abort(why));
    const text = new OutputText();
    try {
      const context = ticket.hasContext
        ? {
            archive: await fetchContext(one.connection, folder, signal),
            workingDirectory: ticket.workingDirectory,
            limitBytes: LIMITS.contextBytes,
          }
        : undefined;
      return await buildInEnclosure({
        definition: ticket.definition,
        buildArguments: new Map(),
        workFolder: folder,
        context,
        pull: (from, library, pullSignal) =>
          this.connections.pullBase({ ticket, from, library, folder: folder.path, signal: pullSignal }),
        verify: (path, options) => this.connections.verifyBase(ticket, path, options.signal),
        // Whether others are signed well is for those to see who use the image.
        verifyAll: false,
        localFiles: undefined,
        // For root's builds the ids are strangers to it and the folder is private; a user's builds have the user's own id.
        hidden: process.getuid?.() === 0 ? [] : [this.config.home],
        processes: LIMITS.processes,
        network: this.config.buildNetwork,
        background: true,
        destination,
        version: this.config.version,
        force: false,
        runTests: true,
        log: logInto(writer, text),
        signal,
      });
    } catch (error) {
      // Whatever a step made of it: it was stopped because the disk is full.
      throw stop.signal.aborted ? stop.signal.reason : error;
    } finally {
      disk.stop();
      writer.write(text.end());
    }
  }

  async #publish({ ticket, image, architecture, writer, signal }: PushRequest & Try): Promise<JobOutcome> {
    writer.line(`INFO:    Pushing to ${referenceOf(ticket)}`);
    const pushed = await this.connections.push({ ticket, image, architecture, signal });
    writer.line(`INFO:    Build complete: ${pushed.size} bytes, ${pushed.digest}`);
    return { outcome: 'succeeded', imageSize: pushed.size, imageChecksum: pushed.digest };
  }
}

/** Where the image of a build goes. */
function referenceOf({ place, tags }: Ticket): string {
  return `library://${place}:${tags.join(',')}`;
}

function isClosing(signal: AbortSignal): boolean {
  const reason: unknown = signal.reason;
  return reason instanceof JobStopped && reason.why === 'closing';
}

/** Names in messages are of whoever wrote the definition or packed the context: none of them makes a line of its own. */
function logInto(writer: LogWriter, text: OutputText): BuildLog {
  return {
    info: (message) => writer.line(`INFO:    ${oneLine(message)}`),
    warning: (message) => writer.line(`WARNING: ${oneLine(message)}`),
    output: (chunk) => writer.write(text.take(chunk)),
  };
}

async function fetchContext(
  connection: BuilderConnection,
  folder: WorkFolder,
  signal: AbortSignal,
): Promise<string> {
  const path = join(folder.path, 'context.tar.gz');
  const file = createWriteStream(path, { mode: 0o600 });
  await pipeline(Readable.from(connection.context(signal)), file, { signal });
  return path;
}

const resultOf = ({ outcome }: JobOutcome): 'succeeded' | 'failed' =>
  outcome === 'succeeded' ? 'succeeded' : 'failed';
