import { chmod, constants, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import type { BuildLog } from '#libs/build';
import { messageOf, placeFile } from '#libs/core';
import type { Definition } from '#libs/deffile';
import { temporaryFolder } from '../folders.js';
import { localDestination } from './destination.js';
import { readSource } from './source.js';

export interface LocalBuild {
  readonly output: string;
  readonly source: string;
  readonly flags: {
    readonly library: string | undefined;
    readonly force: boolean;
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
  const destination = await localDestination(place, build.output, flags.force);
  const [source, buildArguments] = await Promise.all([
    readSource(place, build.source),
    readBuildArguments(place, flags),
  ]);
  const [{ parseDefinition }, { runEnclosed }] = await Promise.all([
    import('#libs/deffile'),
    import('#libs/build'),
  ]);
  // Before anything is fetched: is it a definition at all? Its warnings come again from the build itself.
  const definition = parseDefinition(source.text, { buildArguments });
  const workFolder = await mkdtemp(join(temporaryFolder(place), 'sing-build-'));
  let keep = flags['no-cleanup'];
  try {
    const image = await runEnclosed({
      request: {
        definition: source.text,
        buildArguments: Object.fromEntries(buildArguments),
        workFolder,
        output: join(workFolder, 'image.sif'),
        bases: await fetchBases(place, definition, flags),
        localFiles: true,
        version: place.program.version,
        force: flags.force,
        runTests: !flags.notest,
      },
      hidden: [],
      log: logOf(place),
      signal: place.signal,
    });
    await placeFile(destination, { overwrite: true, mode: 0o755 }, (_file, temporary) =>
      copyFile(image.path, temporary, constants.COPYFILE_FICLONE),
    );
    keep = false;
    place.log.info(`Build complete: ${build.output}`);
  } finally {
    if (keep) place.log.info(`The work folder was kept: ${workFolder}`);
    else await removeFolder(place, workFolder);
  }
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
    const read = parseBuildArgumentFile(await readFile(resolve(cwd, file), 'utf8'));
    for (const warning of read.warnings) log.warning(warning);
    for (const [name, value] of read.values) values.set(name, value);
  }
  for (const pair of flags['build-arg']) {
    const [name, value] = parseBuildArgument(pair);
    values.set(name, value);
  }
  return values;
}

/** Fetches what `bootstrap: library` names before the enclosure closes: nothing inside has a token or needs the network. */
async function fetchBases(
  place: Surroundings,
  definition: Definition,
  flags: Pick<LocalBuild['flags'], 'library' | 'disable-cache'>,
): Promise<Record<string, string>> {
  const bases: Record<string, string> = {};
  for (const { header } of definition.stages) {
    const from = header?.get('from');
    if (header?.get('bootstrap') !== 'library' || from === undefined || bases[from] !== undefined) continue;
    const { fetchToCache } = await import('../image/fetch.js');
    bases[from] = await fetchToCache(place, {
      reference: from.startsWith('library://') ? from : `library://${from}`,
      library: header.get('library') ?? flags.library,
      arch: undefined,
      useCache: !flags['disable-cache'],
    });
  }
  return bases;
}

function logOf({ log, out }: Surroundings): BuildLog {
  return {
    info: (message) => log.info(message),
    warning: (message) => log.warning(message),
    output: (chunk) => out.text(chunk),
  };
}

async function removeFolder({ log }: Surroundings, folder: string): Promise<void> {
  try {
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    log.warning(`The work folder ${folder} could not be removed: ${messageOf(error)}`);
  }
}
