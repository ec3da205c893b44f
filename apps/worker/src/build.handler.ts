import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Inject, Injectable } from '@nestjs/common';
import { buildInEnclosure, type BuildLog, type BuiltImage, WorkFolder } from '#libs/build';
import { ScsConfig } from '#libs/config';
import type { JobOutcome, Ticket } from '#libs/contract';
import { DomainError, messageOf } from '#libs/core';
import { type JobContext, type JobHandler, type JobPayload, JobStopped } from '#libs/queue';
import { LOG, type Logger } from '#libs/server';
import { BuilderConnection } from './builder-connection.js';
import { Connections, type PushRequest } from './connections.js';
import { LogWriter, Unwanted } from './log-writer.js';
import { OutputText } from './text.js';

/** The build took longer than it may. */
class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/** What one try of a build works with. */
interface Try {
  readonly ticket: Ticket;
  readonly connection: BuilderConnection;
  readonly folder: WorkFolder;
  readonly writer: LogWriter;
  readonly signal: AbortSignal;
  /** Where the finished image goes. */
  readonly image: string;
}

/** Where builds do their work: one folder each, and the finished image beside it. */
export function jobsFolder(config: ScsConfig): string {
  return join(config.dataFolder('worker'), 'jobs');
}

/** Works on one build: ticket, build without privilege, push with the submitter's derived token, outcome. */
@Injectable()
export class BuildHandler implements JobHandler {
  readonly name = 'build';

  constructor(
    private readonly connections: Connections,
    private readonly config: ScsConfig,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async handle({ id }: JobPayload<'build'>, { signal }: JobContext): Promise<void> {
    const ticket = await this.#ticket(id);
    if (ticket === undefined) return;
    const connection = new BuilderConnection(id, this.connections.builder(ticket.builderToken));
    const stop = new AbortController();
    const limit = AbortSignal.timeout(ticket.timeLimit * 1000);
    limit.addEventListener('abort', () => stop.abort(new TimedOut()), { once: true });
    signal.addEventListener('abort', () => stop.abort(signal.reason), { once: true });
    const writer = new LogWriter(connection, ticket.logSize, (why) => stop.abort(why));
    if (ticket.attempt > 1) writer.line(`The worker was lost; this is try ${ticket.attempt}.`);
    const outcome = await this.#work(id, ticket, connection, writer, stop.signal);
    // Cancelled, or another worker has the build by now: nothing more may be written.
    if (outcome === undefined) {
      await writer.close().catch(() => undefined);
      signal.throwIfAborted();
      return;
    }
    await writer.close();
    await connection.finish(outcome);
  }

  async #ticket(id: string): Promise<Ticket | undefined> {
    try {
      return await BuilderConnection.ticket(this.connections.builder(undefined), id, () =>
        this.connections.proof(),
      );
    } catch (error) {
      if (error instanceof DomainError && error.code === 'gone') return undefined;
      throw error;
    }
  }

  async #work(
    id: string,
    ticket: Ticket,
    connection: BuilderConnection,
    writer: LogWriter,
    signal: AbortSignal,
  ): Promise<JobOutcome | undefined> {
    const folder = await WorkFolder.at(join(jobsFolder(this.config), id));
    const image = join(jobsFolder(this.config), `${id}.sif`);
    try {
      const { architecture } = await this.#build({ ticket, connection, folder, writer, signal, image });
      return await this.#publish({ ticket, image, architecture, writer, signal });
    } catch (error) {
      const reason: unknown = signal.reason;
      if (reason instanceof TimedOut) return failed(`The build took longer than ${ticket.timeLimit} seconds`);
      if (reason instanceof JobStopped || reason instanceof Unwanted) return undefined;
      if (signal.aborted) return failed(`The log of the build could not be kept: ${messageOf(reason)}`);
      if (error instanceof DomainError) return failed(error.message);
      this.log.error({ build: id, error: messageOf(error) }, 'A build failed by a bug');
      return failed(
        'The build failed by a bug of the worker; the operator finds it in the log of the worker',
      );
    } finally {
      await rm(image, { force: true });
      await folder
        .remove()
        .catch((error: unknown) => this.log.error({ build: id }, `A work folder stays: ${messageOf(error)}`));
    }
  }

  async #build({ ticket, connection, folder, writer, signal, image }: Try): Promise<BuiltImage> {
    const context = ticket.hasContext
      ? { archive: await fetchContext(connection, folder, signal), workingDirectory: ticket.workingDirectory }
      : undefined;
    const text = new OutputText();
    const log: BuildLog = {
      info: (message) => writer.line(`INFO:    ${message}`),
      warning: (message) => writer.line(`WARNING: ${message}`),
      output: (chunk) => writer.write(text.take(chunk)),
    };
    return buildInEnclosure({
      definition: ticket.definition,
      buildArguments: new Map(),
      workFolder: folder,
      context,
      pull: (from, library, pullSignal) =>
        this.connections.pullBase({ ticket, from, library, folder: folder.path, signal: pullSignal }),
      localFiles: undefined,
      // For root's builds the ids are strangers to it and the folder is private; a user's builds have the user's own id.
      hidden: process.getuid?.() === 0 ? [] : [this.config.home],
      destination: image,
      version: this.config.version,
      force: false,
      runTests: true,
      log,
      signal,
    });
  }

  async #publish({
    ticket,
    image,
    architecture,
    writer,
    signal,
  }: PushRequest & { writer: LogWriter }): Promise<JobOutcome> {
    writer.line(`INFO:    Pushing to library://${ticket.place}:${ticket.tags.join(',')}`);
    const pushed = await this.connections.push({ ticket, image, architecture, signal });
    writer.line(`INFO:    Build complete: ${pushed.size} bytes, ${pushed.digest}`);
    return { outcome: 'succeeded', imageSize: pushed.size, imageChecksum: pushed.digest };
  }
}

function failed(reason: string): JobOutcome {
  return { outcome: 'failed', reason: reason.slice(0, 1000) };
}

async function fetchContext(
  connection: BuilderConnection,
  folder: WorkFolder,
  signal: AbortSignal,
): Promise<string> {
  const path = join(folder.path, 'context.tar.gz');
  await pipeline(Readable.from(await connection.context(signal)), createWriteStream(path, { mode: 0o600 }), {
    signal,
  });
  return path;
}
