import { copyFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { placeFile, systemCode } from '#libs/core';
import { type Definition, parseDefinition } from '#libs/deffile';
import { buildIds, systemHost } from '#libs/runtime';
import { runEnclosed } from './enclosed/run.js';
import type { BuildLog } from './log.js';
import { type BuiltImage, checkStages } from './engine.js';
import type { BuildNetwork } from './runner.js';
import type { PullBase, VerifyBase } from './sources/base.js';
import { fetchBases } from './sources/fetch.js';
import type { WorkFolder } from './work-folder.js';

interface PackedFiles {
  readonly archive: string;
  /** Absolute; relative sources are relative to it. */
  readonly workingDirectory: string;
  /** Bytes that it may unpack to; no limit of this kind when absent. */
  readonly limitBytes?: number;
}

export interface BuildInEnclosure {
  /** Text of the definition, before substitution. */
  readonly definition: string;
  readonly buildArguments: ReadonlyMap<string, string>;
  readonly workFolder: WorkFolder;
  /** A packed build context in the work folder (packContext), and what relative sources are relative to. */
  readonly context: PackedFiles | undefined;
  /** Fetches `library` bases; undefined when there is no library. */
  readonly pull: PullBase | undefined;
  /** Verifies bases of which a definition says who must have signed them; undefined: those cannot be used. */
  readonly verify: VerifyBase | undefined;
  /** Also looks at the signatures of all others, and warns of bad ones. */
  readonly verifyAll: boolean;
  /** `localimage` and `oci` bases may be files of this machine; relative ones are relative to this directory. Undefined: they may not. */
  readonly localFiles: string | undefined;
  /** Directories of this machine that the build must not see. */
  readonly hidden: readonly string[];
  /** How many processes there may be of the caller's user and of the build together; undefined: as many as the system allows. */
  readonly processes: number | undefined;
  /** Others of this machine go first: the services beside a worker. */
  readonly background: boolean;
  /** What scripts of the definition reach. */
  readonly network: BuildNetwork;
  /** Where the image goes; it appears there whole or not at all and replaces what is there. */
  readonly destination: string;
  readonly version: string;
  readonly force: boolean;
  readonly runTests: boolean;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

/**
 * Builds an image without privilege: bases are fetched here, everything else happens in an enclosure (runEnclosed), and the finished image is put at its
 * destination. The work folder stays; whoever made it removes it.
 * @throws DomainError with the reason of a failed build; the signal's reason when aborted
 */
export async function buildInEnclosure(options: BuildInEnclosure): Promise<BuiltImage> {
  const { workFolder, log, signal } = options;
  const definition = parseDefinition(options.definition, { buildArguments: options.buildArguments });
  const output = join(workFolder.path, 'image.sif');
  checkStages(definition.stages);
  warnOfSingleId(definition, log);
  const bases = await fetchBases(definition, options);
  if (options.context !== undefined) await workFolder.give(options.context.archive);
  const { size, architecture } = await runEnclosed({
    request: {
      definition: options.definition,
      buildArguments: Object.fromEntries(options.buildArguments),
      workFolder: workFolder.path,
      output,
      ...(options.context !== undefined && { context: options.context }),
      bases,
      network: options.network,
      background: options.background,
      version: options.version,
      force: options.force,
      runTests: options.runTests,
    },
    hidden: options.hidden,
    processes: options.processes,
    log,
    signal,
  });
  await workFolder.take(output);
  await moveInto(output, options.destination);
  return { path: options.destination, size, architecture };
}

/** Where nothing can be given to another owner, packages that do so fail in %post: said before, not found out. */
function warnOfSingleId({ stages }: Definition, log: BuildLog): void {
  const { singleId } = buildIds(systemHost());
  if (singleId === null || !stages.some((stage) => stage.scripts.has('post'))) return;
  log.warning(
    `Only root exists in this build: ${Buffer.from(singleId, 'latin1').toString('utf8')}. Programs that change owners fail, package managers among them; the administrator helps with: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME, and the package uidmap`,
  );
}

async function moveInto(from: string, destination: string): Promise<void> {
  try {
    await rename(from, destination);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    // Another file system: copied beside the destination first, so that it appears whole.
    await placeFile(destination, { overwrite: true, mode: 0o755 }, async (file) => {
      await copyFile(from, `/proc/self/fd/${file.fd}`);
    });
  }
}
