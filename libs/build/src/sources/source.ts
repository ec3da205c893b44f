import { buildFailure } from '../failure.js';
import { type Base, baseKey, type BaseRequest } from './base.js';
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
  switch (agent) {
    case undefined:
      throw buildFailure('no bootstrap specification found', { remedy: SAY_BOOTSTRAP });
    case 'scratch':
      return { keepSkeleton: false, ociConfig: undefined, finish: undefined };
    case 'library':
    case 'localimage':
      return fillFromLocalImage(request, fetched(request, agent, from), from);
    case 'oci':
      return fillFromOci(request, fetched(request, agent, from));
    default:
      throw buildFailure(`unable to get conveyorpacker: invalid build source ${JSON.stringify(agent)}`, {
        remedy: remedyForAgent(agent),
      });
  }
}

const SAY_BOOTSTRAP = 'Begin the definition with bootstrap: and from:, for example bootstrap: library.';

function remedyForAgent(agent: string): string {
  const known = `Bases come from ${AGENTS.join(', ')}.`;
  const small = agent.toLowerCase();
  if (small !== agent && (AGENTS as readonly string[]).includes(small))
    return `Write it in small letters: ${small}.`;
  if (agent.startsWith('docker'))
    return `${known} Fetch the image as a folder first (skopeo copy docker://NAME oci:FOLDER), then use bootstrap: oci and from: FOLDER.`;
  return known;
}

function fetched(request: BaseRequest, agent: string, from: string): string {
  if (from === '')
    throw buildFailure(`bootstrap: ${agent} needs from:`, {
      remedy: 'Name the base in a line from: below bootstrap:.',
    });
  const path = request.bases[baseKey(request.header)];
  if (path !== undefined) return path;
  throw buildFailure(
    agent === 'library'
      ? 'bootstrap: library needs a library, and none is configured'
      : `bootstrap: ${agent} needs a file of your machine and cannot be built remotely`,
  );
}
