import { constants } from 'node:fs';
import { copyFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DomainError } from '#libs/core';
import type { Definition, Header } from '#libs/deffile';
import { exposedPath, systemHost } from '#libs/runtime';
import { buildFailure } from '../failure.js';
import type { BuildLog } from '../log.js';
import type { WorkFolder } from '../work-folder.js';
import { baseKey, type FetchedBases, type PullBase, type VerifyBase } from './base.js';
import { isSif, unreadableBase } from './localimage.js';
import { checkSigners, requiredSigners } from './signers.js';

export interface FetchBases {
  readonly workFolder: WorkFolder;
  /** Fetches `library` bases; undefined when there is no library. */
  readonly pull: PullBase | undefined;
  /** Verifies bases; undefined: those that somebody must have signed cannot be used. */
  readonly verify: VerifyBase | undefined;
  /** Also looks at bases that nobody must have signed, and warns. */
  readonly verifyAll: boolean;
  /** Bases may be files of this machine; relative ones are relative to this directory. Undefined: they may not. */
  readonly localFiles: string | undefined;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

/**
 * Brings the bases of a definition to where the enclosed build may read them, each once: what a library has is pulled, files are found from the
 * directory of the caller, whom the enclosed build is not. @throws DomainError
 */
export async function fetchBases(definition: Definition, options: FetchBases): Promise<FetchedBases> {
  const bases = new Map<string, string>();
  for (const { header } of definition.stages) {
    const from = header?.get('from') ?? '';
    if (header === undefined || from === '' || bases.has(baseKey(header))) continue;
    const path = await fetchBase(header, from, bases.size, options);
    if (path === undefined) continue;
    await check(header, path, options);
    bases.set(baseKey(header), path);
  }
  return Object.fromEntries(bases);
}

async function check(header: Header, path: string, options: FetchBases): Promise<void> {
  const { verify, verifyAll, log, signal } = options;
  const agent = header.get('bootstrap');
  const sif = agent === 'library' || (agent !== 'oci' && (await isSif(path)));
  await checkSigners(header, { path, sif }, { verify, warn: verifyAll, log, signal });
}

async function fetchBase(
  header: Header,
  from: string,
  index: number,
  options: FetchBases,
): Promise<string | undefined> {
  const agent = header.get('bootstrap');
  if (agent === 'library') return pullBase(header, from, options);
  if (options.localFiles === undefined) return undefined;
  // `layout[:tag]` keeps its tag: only the last part of the path may hold a colon that is none of the path.
  if (agent === 'oci') return resolve(options.localFiles, from);
  if (agent === 'localimage')
    return localImage(
      from,
      index,
      options.localFiles,
      options.workFolder,
      requiredSigners(header).length > 0,
    );
  return undefined;
}

async function pullBase(header: Header, from: string, options: FetchBases): Promise<string> {
  if (options.pull === undefined)
    throw buildFailure('bootstrap: library needs a library, and none is configured', {
      remedy: 'Add one with: sing remote add NAME ADDRESS',
    });
  options.log.info(`Pulling the base ${from}`);
  const path = await options.pull(from, header.get('library'), options.signal).catch((error: unknown) => {
    throw withRemedy(error);
  });
  await options.workFolder.give(path);
  return path;
}

/** A base that is not there looks like one that may not be seen. */
function withRemedy(error: unknown): unknown {
  if (!(error instanceof DomainError) || error.code !== 'not_found' || error.remedy !== undefined)
    return error;
  return new DomainError(error.code, error.message, {
    reason: error.reason,
    cause: error,
    remedy:
      'Look for its name and tag with: sing search NAME. A private image needs a token that may read it.',
  });
}

/**
 * The image itself; or a copy of it in the work folder, when the enclosed build could not read it where it is, and when its signers are
 * checked: nobody changes the copy between that and its use.
 */
async function localImage(
  from: string,
  index: number,
  directory: string,
  workFolder: WorkFolder,
  kept: boolean,
): Promise<string> {
  const path = resolve(directory, from);
  const stats = await stat(path).catch((cause: unknown) => {
    throw unreadableBase(from, cause);
  });
  const covered = dirname(exposedPath(systemHost(), 'work'));
  const readable = process.getuid?.() !== 0 && !path.startsWith(`${covered}/`);
  if ((readable && !kept) || !stats.isFile()) return path;
  const copy = join(workFolder.path, `local-base-${index}.sif`);
  await copyFile(path, copy, constants.COPYFILE_FICLONE).catch((cause: unknown) => {
    throw unreadableBase(from, cause);
  });
  await workFolder.give(copy);
  return copy;
}
