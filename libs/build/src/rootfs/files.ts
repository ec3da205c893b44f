import { isAbsolute, join } from 'node:path';
import type { RootTree } from '#libs/core';
import type { FileBlock } from '#libs/deffile';
import { buildFailure } from '../failure.js';
import type { BuildLog } from '../log.js';
import { copyInto } from './copy.js';
import { expandPattern } from './glob.js';

/** Where the files of the host come from: the machine itself, or the unpacked build context of a remote build. */
export interface HostFiles {
  /** `/` for a local build; the directory that stands for the client's `/` in a remote one. */
  readonly tree: RootTree;
  /** Absolute path inside that tree: relative sources are relative to it. */
  readonly workingDirectory: string;
}

export interface TransferFiles {
  readonly blocks: readonly FileBlock[];
  readonly tree: RootTree;
  /** Undefined: this build must not read files of the machine it runs on. */
  readonly host: HostFiles | undefined;
  /** Finished stages by name; the first of equal names wins. */
  readonly stages: ReadonlyMap<string, RootTree>;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

const NO_NAME = 'Attempt to copy file with no name, skipping.';

/** `%files from <stage>` of all blocks, which are copied before those of the host (definition contract §6). */
export async function copyStageFiles(request: TransferFiles): Promise<void> {
  for (const block of request.blocks) {
    if (block.stage === undefined) continue;
    const from = request.stages.get(block.stage);
    if (from === undefined) {
      const names = [...request.stages.keys()].join(', ');
      throw buildFailure(`stage ${block.stage} was not found`, {
        remedy:
          names === ''
            ? 'Name a stage above this one by a line stage: NAME in its header.'
            : `The stages above this one are ${names}.`,
      });
    }
    await copyBlock(block, request, from, '/', false);
  }
}

/** `%files` of the host. @throws DomainError when there is no host to read from and the definition asks for some */
export async function copyHostFiles(request: TransferFiles): Promise<void> {
  for (const block of request.blocks) {
    if (block.stage !== undefined || block.files.length === 0) continue;
    if (request.host === undefined) {
      // Nothing but empty names, which are passed over below.
      if (block.files.every(({ source }) => source === '')) {
        request.log.warning(NO_NAME);
        continue;
      }
      throw buildFailure('%files needs files of your machine, and none were sent with the build', {
        remedy: 'Submit the build with a client that uploads a build context.',
      });
    }
    await copyBlock(block, request, request.host.tree, request.host.workingDirectory, true);
  }
}

async function copyBlock(
  block: FileBlock,
  request: TransferFiles,
  from: RootTree,
  base: string,
  followLinks: boolean,
): Promise<void> {
  for (const { source, destination, line } of block.files) {
    if (source === '') {
      request.log.warning(NO_NAME);
      continue;
    }
    const pattern = isAbsolute(source) ? source : join(base, source);
    const inside = (path: string) => from.resolve(path);
    const exists = async (path: string) => (await from.stat(path)) !== undefined;
    const matches = await expandPattern(pattern, exists, inside);
    if (matches.length === 0)
      throw buildFailure(`no source files found matching: ${source} (line ${line})`, {
        remedy: followLinks
          ? 'Sources of %files are relative to the directory in which the build was started.'
          : `Nothing of that name is in the stage ${block.stage ?? ''}.`,
      });
    for (const match of matches) {
      request.log.info(`Copying ${match} to ${destination === '' ? match : destination}`);
      await copyInto(request.tree, match, destination === '' ? match : destination, {
        from,
        followLinks,
        signal: request.signal,
      });
    }
  }
}
