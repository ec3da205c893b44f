import { buildFailure } from '../failure.js';
import type { Base, BaseRequest } from './base.js';
import { fillFromLocalImage } from './localimage.js';
import { fillFromOci } from './oci.js';

/** The bootstrap agents of this engine; others are named in the error (definition contract §11). */
const AGENTS = ['scratch', 'library', 'localimage', 'oci'] as const;

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
