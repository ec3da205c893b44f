import type { RootTree } from '#libs/core';
import type { Header } from '#libs/deffile';
import { buildFailure } from '../failure.js';
import type { BuildLog } from '../log.js';
import { fillFromLocalImage } from './localimage.js';
import { fillFromOci } from './oci.js';

/** Fetches the image that a `library` base names and returns the path of a SIF file whose digest was checked. */
export type PullBase = (
  reference: string,
  library: string | undefined,
  signal: AbortSignal | undefined,
) => Promise<string>;

export interface BaseRequest {
  readonly header: Header;
  readonly tree: RootTree;
  /** A directory of this build for what must be unpacked on the way. */
  readonly workFolder: string;
  /** Undefined: this build cannot reach a library. */
  readonly pull: PullBase | undefined;
  /** Whether bases may be files of the machine that builds: never so in a remote build (builder contract §9.4). */
  readonly localFiles: boolean;
  readonly architecture: string;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

/** What a base brings besides its files. */
export interface Base {
  /** The skeleton's files that it has are kept (definition contract §9). */
  readonly keepSkeleton: boolean;
  /** The OCI image configuration (`config` object) to store in the image. */
  readonly ociConfig: string | undefined;
  /** Writes what the agent puts over the skeleton. */
  readonly finish: (() => Promise<void>) | undefined;
}

/** The bootstrap agents of this engine; others are named in the error (definition contract §11). */
export const AGENTS = ['scratch', 'library', 'localimage', 'oci'] as const;

/**
 * Puts the base of a stage into its empty root.
 * @throws DomainError when the agent is unknown, not offered here, or fails
 */
export async function fillBase(request: BaseRequest): Promise<Base> {
  const { header } = request;
  const agent = header.get('bootstrap');
  const from = header.get('from') ?? '';
  if (agent === undefined) throw buildFailure('no bootstrap specification found');
  switch (agent) {
    case 'scratch':
      return { keepSkeleton: false, ociConfig: undefined, finish: undefined };
    case 'library':
      return fillFromLibrary(request, from);
    case 'localimage':
      requireLocal(request, agent);
      return fillFromLocalImage(request, from);
    case 'oci':
      requireLocal(request, agent);
      return fillFromOci(request, from);
    default:
      throw buildFailure(`unable to get conveyorpacker: invalid build source ${JSON.stringify(agent)}`, {
        remedy: `This builder knows the sources ${AGENTS.join(', ')}.`,
      });
  }
}

async function fillFromLibrary(request: BaseRequest, from: string): Promise<Base> {
  if (request.pull === undefined)
    throw buildFailure('bootstrap: library needs a library, and none is configured');
  const image = await request.pull(from, request.header.get('library'), request.signal);
  return fillFromLocalImage(request, image);
}

function requireLocal(request: BaseRequest, agent: string): void {
  if (!request.localFiles)
    throw buildFailure(`bootstrap: ${agent} needs a file of your machine and cannot be built remotely`);
}
