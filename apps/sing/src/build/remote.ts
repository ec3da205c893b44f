import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatSize, type Surroundings } from '#libs/cli';
import { DomainError, isDigest, messageOf, parsePushReference, type Digest } from '#libs/core';
import type { BuilderClient, BuildContext, HttpClient } from '#libs/client';
import type { BuildMetadata } from '#libs/contract';
import type { Definition } from '#libs/deffile';
import { usableTemporaryFolder } from '../folders.js';
import { goArchitecture, withSession, type Session } from '../session.js';
import { localDestination } from './destination.js';
import { readSource } from './source.js';

/** "separate 5 s budget" for cancelling after Ctrl-C (builder contract §2.4). */
const CANCEL_TIMEOUT = 5_000;

/** Bases that are files of the person's machine make no sense at the remote (builder contract §9). */
const LOCAL_AGENTS = ['localimage', 'oci', 'oci-archive', 'docker-archive', 'docker-daemon'];

export interface RemoteBuild {
  /** Path, or `library://…`. */
  readonly output: string;
  readonly source: string;
  readonly flags: {
    readonly detached: boolean;
    readonly arch: string | undefined;
    readonly builder: string | undefined;
    readonly library: string | undefined;
    readonly force: boolean;
    readonly 'build-arg': readonly string[];
    readonly 'build-arg-file': string | undefined;
  };
}

/** Builds at the remote: context, submit, log, image (builder contract §6.3). */
export async function buildRemotely(place: Surroundings, build: RemoteBuild): Promise<void> {
  const { flags } = build;
  if (flags['build-arg'].length > 0 || flags['build-arg-file'] !== undefined) {
    throw new DomainError('not_implemented', 'The remote builder takes no --build-arg', {
      reason: 'not_offered',
      remedy: 'Put the values into the %arguments section of the definition',
    });
  }
  const toLibrary = build.output.startsWith('library://');
  const libraryRef = toLibrary ? checkedReference(build.output) : '';
  const destination =
    toLibrary || flags.detached ? undefined : await localDestination(place, build.output, flags.force);
  const source = await readSource(place, build.source);
  const { parseDefinition } = await import('#libs/deffile');
  const definition = parseDefinition(source.text);
  for (const warning of definition.warnings) place.log.warning(warning);
  refuseLocalBases(definition);
  await withSession(place, async (session) => {
    session.requireToken();
    const builder = await builderFor(session, flags.builder);
    const context = await sendContext(place, builder, definition);
    const arch = flags.arch ?? goArchitecture();
    const submitted = await builder.submit(
      {
        definitionRaw: Buffer.from(source.text).toString('base64'),
        libraryRef,
        libraryURL: flags.library ?? (await session.uri('library')),
        builderRequirements: { arch },
        workingDir: place.cwd,
        ...(context === undefined ? {} : { contextDigest: context }),
      },
      { signal: place.signal },
    );
    if (flags.detached) {
      sayDetached(place, submitted);
      return;
    }
    await follow(place, builder, submitted);
    const finished = await builder.status(submitted.id, { signal: place.signal });
    await release(place, builder, context);
    const reference = resultOf(finished);
    if (destination === undefined) {
      place.log.info(`Built ${reference}`);
      return;
    }
    const [{ fetchBuilt }, { LibraryClient }] = await Promise.all([
      import('../image/library-image.js'),
      import('#libs/client'),
    ]);
    const library = new LibraryClient(await libraryOf(session, finished.libraryURL));
    const digest = digestOf(finished.imageChecksum);
    await fetchBuilt(place, library, { reference, arch, digest, path: destination });
    place.log.info(`Build complete: ${build.output}`);
  });
}

function checkedReference(reference: string): string {
  const { host } = parsePushReference(reference);
  if (host === undefined) return reference;
  throw new DomainError('bad_request', 'The image goes to the library of the remote: leave the host out', {
    reason: 'invalid_reference',
    remedy: 'Choose another remote with: sing --remote NAME build …',
  });
}

function refuseLocalBases(definition: Definition): void {
  for (const stage of definition.stages) {
    const agent = stage.header?.get('bootstrap');
    if (agent === undefined || !LOCAL_AGENTS.includes(agent)) continue;
    throw new DomainError(
      'bad_request',
      `bootstrap: ${agent} needs a file of your machine and cannot be built remotely`,
      {
        reason: 'local_base',
        remedy: 'Push the image to the library and use bootstrap: library, or build here without --remote',
      },
    );
  }
}

/** The remote's own builder, or one that was named: "A token is attached only to that remote's advertised services". */
async function builderFor(session: Session, url: string | undefined): Promise<BuilderClient> {
  const own = await session.uri('builder');
  if (url === undefined || url.replace(/\/+$/, '') === own) return session.builder();
  throw new DomainError('unauthorized', `There is no token for the builder ${url}`, {
    reason: 'no_token',
    remedy: 'Add its site as a remote: sing remote add NAME ADDRESS',
  });
}

/** Where the builder says that the image is. Its token goes along only to the remote's own library. */
async function libraryOf(session: Session, url: string | undefined): Promise<HttpClient> {
  const own = await session.uri('library');
  const named = url?.replace(/\/+$/, '') ?? own;
  return named === own ? session.service('library') : session.elsewhere(named);
}

/** Packs and sends what %files names; returns the digest, or undefined when there is nothing to send. */
async function sendContext(
  place: Surroundings,
  builder: BuilderClient,
  definition: Definition,
): Promise<Digest | undefined> {
  const { log, signal, progress, cwd } = place;
  const { packContext } = await import('#libs/build');
  const folder = await mkdtemp(join(await usableTemporaryFolder(place), 'sing-context-'));
  try {
    const output = join(folder, 'context.tar.gz');
    const context = await packContext({ definition, workingDirectory: cwd, output, signal });
    if (context === undefined) return undefined;
    log.verbose(`Build context: ${formatSize(context.size)}, ${context.digest}`);
    const bar = progress.bytes('Sending files', context.size);
    try {
      const upload: BuildContext = { size: context.size, digest: context.digest, open: () => context.open() };
      const outcome = await builder.uploadContext(upload, { signal, onProgress: (sent) => bar.update(sent) });
      if (outcome === 'held') log.verbose('The builder has these files already');
    } finally {
      bar.stop();
    }
    return context.digest;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Prints the log; an interruption cancels the build: Ctrl-C must stop it, a lost connection must not. */
async function follow(place: Surroundings, builder: BuilderClient, { id }: BuildMetadata): Promise<void> {
  const { log, out, signal } = place;
  log.verbose(`Build ${id} submitted`);
  try {
    await builder.followLog(id, { signal, onText: (text) => out.text(text) });
  } catch (error) {
    if (!signal.aborted) throw withId(error, id);
    log.info('Cancelling the build …');
    try {
      await builder.cancel(id, { timeout: CANCEL_TIMEOUT });
      log.info('The build was cancelled.');
    } catch (failure) {
      log.warning(`The build could not be cancelled and may go on: ${messageOf(failure)}`);
    }
    throw error;
  }
}

function withId(error: unknown, id: string): unknown {
  if (!(error instanceof DomainError)) return error;
  return new DomainError(error.code, error.message, {
    reason: error.reason,
    remedy: `${error.remedy ?? 'The build may go on at the remote'} (build ${id})`,
    cause: error,
  });
}

async function release(
  place: Surroundings,
  builder: BuilderClient,
  digest: Digest | undefined,
): Promise<void> {
  if (digest === undefined) return;
  try {
    await builder.releaseContext(digest, { signal: place.signal });
  } catch (error) {
    place.signal.throwIfAborted();
    // It expires by itself.
    place.log.verbose(`The sent files could not be removed at the builder: ${messageOf(error)}`);
  }
}

/** "There is no Failed: a failed build is Complete with imageSize 0/absent" (builder contract §3.3). */
function resultOf({ id, isComplete, status, imageSize, libraryRef, failureReason }: BuildMetadata): string {
  if (isComplete !== true) {
    throw new DomainError('unavailable', 'The build has not completed though its log ended', {
      reason: 'build_incomplete',
      remedy: `It may go on at the remote (build ${id})`,
    });
  }
  if (status === 'Cancelled')
    throw new DomainError('gone', 'The build was cancelled', { reason: 'build_cancelled' });
  if (imageSize === undefined || imageSize <= 0 || libraryRef === undefined) {
    throw new DomainError(
      'unprocessable',
      `The build failed${failureReason === undefined ? '' : `: ${failureReason}`}`,
      {
        reason: 'build_failed',
        remedy: `The log above says why (build ${id})`,
      },
    );
  }
  return libraryRef;
}

function digestOf(checksum: string | undefined): Digest | undefined {
  return checksum !== undefined && isDigest(checksum) ? checksum : undefined;
}

function sayDetached({ log, out }: Surroundings, { id, libraryRef }: BuildMetadata): void {
  log.info(`Build ${id} was handed in and goes on by itself.`);
  if (libraryRef === undefined) return;
  log.info(`When it is done: sing pull ${libraryRef}`);
  out.line(libraryRef);
}
