import { readFile, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import type { BuildLog, ClaimedFolder, PullBase, WorkFolder } from '#libs/build';
import { DomainError, messageOf } from '#libs/core';
import type { VerifyResult } from '#libs/signing';
import { refuseBuildSource } from '../image/transport.js';
import { registryAccess } from '../registry/flags.js';
import { claimFolder, removeFolder, tellsWhatStays } from './claimed.js';
import { localDestination, sandboxDestination } from './destination.js';
import { readSource } from './source.js';

export interface LocalBuild {
  readonly output: string;
  readonly source: string;
  readonly flags: {
    readonly library: string | undefined;
    readonly force: boolean;
    readonly sandbox: boolean;
    readonly notest: boolean;
    readonly 'build-arg': readonly string[];
    readonly 'build-arg-file': string | undefined;
    readonly 'disable-cache': boolean;
    readonly 'no-cleanup': boolean;
  };
}

/** Builds on this machine, without privilege, in an enclosure of its own. */
export async function buildLocally(place: Surroundings, build: LocalBuild): Promise<void> {
  const { flags } = build;
  refuseBuildSource(build.source);
  const destinationOf = flags.sandbox ? sandboxDestination : localDestination;
  const destination = await destinationOf(place, build.output, flags.force);
  const [source, buildArguments] = await Promise.all([
    readSource(place, build.source),
    readBuildArguments(place, flags),
  ]);
  const [{ buildInEnclosure, packContext, placeSandbox, WorkFolder }, { parseDefinition }] =
    await Promise.all([import('#libs/build'), import('#libs/deffile')]);
  const definition = parseDefinition(source.text, { buildArguments });
  const claimed = await claimFolder(place, 'sing-build-');
  let keep = flags['no-cleanup'];
  try {
    const workFolder = await WorkFolder.at(join(claimed.path, 'work'));
    // Packed by this process, which may read the person's files; the enclosed one is nobody outside.
    const archive = join(workFolder.path, 'context.tar.gz');
    const { cwd, signal } = place;
    const image = flags.sandbox ? join(claimed.path, 'image.sif') : destination;
    const packed = await packContext({ definition, workingDirectory: cwd, output: archive, signal });
    await buildInEnclosure({
      definition: source.text,
      buildArguments,
      workFolder,
      context: packed === undefined ? undefined : { archive, workingDirectory: cwd },
      pull: pullInto(place, workFolder, flags),
      verify: (path, { required }) => verifyBase(place, path, required),
      verifyAll: true,
      localFiles: cwd,
      hidden: [],
      processes: undefined,
      network: 'host',
      background: false,
      destination: image,
      version: place.program.version,
      force: flags.force,
      runTests: !flags.notest,
      log: logOf(place),
      signal,
    });
    if (flags.sandbox) {
      place.log.info('Creating sandbox directory...');
      const onStays = tellsWhatStays(place);
      await placeSandbox({ image, destination, log: logOf(place), onStays, signal });
    }
    keep = false;
    place.log.info(`Build complete: ${build.output}`);
  } catch (error) {
    throw withRoom(error);
  } finally {
    if (keep) await keepFolder(place, claimed);
    else await removeFolder(place, claimed);
  }
}

/** A full disk, with what helps on this machine. */
function withRoom(error: unknown): unknown {
  if (!(error instanceof DomainError) || error.reason !== 'out_of_space') return error;
  return new DomainError(error.code, error.message, {
    reason: error.reason,
    remedy: 'Free some space there, or set TMPDIR to a folder on a larger disk.',
    exitCode: 255,
    cause: error,
  });
}

/** Values of `--build-arg` over those of `--build-arg-file`. */
async function readBuildArguments(
  { cwd, log }: Surroundings,
  flags: Pick<LocalBuild['flags'], 'build-arg' | 'build-arg-file'>,
): Promise<ReadonlyMap<string, string>> {
  const { parseBuildArgument, parseBuildArgumentFile } = await import('#libs/deffile');
  const values = new Map<string, string>();
  const file = flags['build-arg-file'];
  if (file !== undefined) {
    const text = await readFile(resolve(cwd, file), 'utf8').catch((cause: unknown) => {
      throw new DomainError(
        'bad_request',
        `${file} of --build-arg-file cannot be read: ${messageOf(cause)}`,
        {
          reason: 'bad_build_argument',
          remedy: 'Name a file with lines NAME=VALUE.',
          exitCode: 255,
          cause,
        },
      );
    });
    const read = parseBuildArgumentFile(text);
    for (const warning of read.warnings) log.warning(warning);
    for (const [name, value] of read.values) values.set(name, value);
  }
  for (const pair of flags['build-arg']) {
    const [name, value] = parseBuildArgument(pair);
    values.set(name, value);
  }
  return values;
}

/**
 * Fetches what `bootstrap: library` names into the work folder before the enclosure closes: nothing inside has a token or
 * needs the network, and nothing outside the folder changes its owner.
 */
function pullInto(
  place: Surroundings,
  workFolder: WorkFolder,
  flags: Pick<LocalBuild['flags'], 'library' | 'disable-cache'>,
): PullBase {
  let count = 0;
  return async (from, library) => {
    const { fetchToFile } = await import('../image/fetch.js');
    count += 1;
    const path = join(workFolder.path, `base-${count}.sif`);
    const request = {
      reference: from.startsWith('library://') ? from : `library://${from}`,
      library: library ?? flags.library,
      arch: undefined,
      useCache: !flags['disable-cache'],
      access: registryAccess({}),
    };
    await fetchToFile(place, request, { path, overwrite: false });
    return path;
  };
}

/** With the keys of the installation, of the own ring and of the key servers: as `sing verify` does. */
async function verifyBase(place: Surroundings, path: string, required: boolean): Promise<VerifyResult> {
  const { verifyFile } = await import('../image/verification.js');
  const result = await verifyFile(place, { path, local: false, hurried: !required });
  // They were told already.
  return { ...result, warnings: [] };
}

function logOf({ log, out }: Surroundings): BuildLog {
  return {
    info: (message) => log.info(message),
    warning: (message) => log.warning(message),
    output: (chunk) => out.text(chunk),
  };
}

/** Under a name that no later build takes for a leftover. */
async function keepFolder({ log }: Surroundings, folder: ClaimedFolder): Promise<void> {
  const kept = folder.path.replace('sing-build-', 'sing-kept-');
  await rename(folder.path, kept);
  log.info(`The work folder was kept: ${kept}`);
  await folder.remove();
}
