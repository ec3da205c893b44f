import { open, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Ending, exposedPath, planEnclosure, startPlan, systemHost } from '#libs/runtime';
import { DomainError } from '#libs/core';
import { buildFailure } from '../failure.js';
import type { BuildLog } from '../log.js';
import { type Events, readEvents } from './events.js';
import type { EnclosedRequest } from './protocol.js';

export interface RunEnclosed {
  /** Paths in it are those of this process; what lies in the work folder is found there by the enclosed one as well. */
  readonly request: EnclosedRequest;
  /** Directories of this machine that the build must not see. */
  readonly hidden: readonly string[];
  /** How many processes there may be of the caller's user and of the build together; undefined: as many as the system allows. */
  readonly processes: number | undefined;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

export interface EnclosedImage {
  /** The finished image, in the work folder, owned by the ids of the build. */
  readonly path: string;
  readonly size: number;
  readonly architecture: string;
}

/** The enclosed program, below the installation. */
const MAIN = 'dist/libs/build/src/enclosed/main.js';

/** What the executor was doing when it could not make namespaces, in its own words. */
const NAMESPACES = 'making namespaces';

/** Where the tools of a build are: those of the system, whatever the caller's own path says. */
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/**
 * Does a build in an enclosure: a process that is root of a user namespace and nobody outside, with mount and PID namespaces that end with this one
 * (runtime: planEnclosure). Nothing of it is left when the promise settles, whatever the definition did.
 * @throws DomainError with the reason of a failed build; the signal's reason when aborted
 */
export async function runEnclosed(options: RunEnclosed): Promise<EnclosedImage> {
  const { request, hidden, processes, log, signal } = options;
  signal?.throwIfAborted();
  const host = systemHost();
  const work = exposedPath(host, 'work');
  const installation = exposedPath(host, 'installation');
  const { root } = host.installation();
  const installed = (path: string): string =>
    path.startsWith(`${root}/`) ? installation + path.slice(root.length) : path;
  const inside = (path: string): string =>
    path.startsWith(`${request.workFolder}/`) ? join(work, relative(request.workFolder, path)) : path;
  const requestFile = join(request.workFolder, 'request.json');
  await writeFile(requestFile, JSON.stringify(translated(request, work, inside)), { mode: 0o644 });
  const input = await open(requestFile, 'r');
  let ending: Ending;
  let events: Events;
  let complaints = '';
  try {
    const container = startPlan(
      planEnclosure(host, {
        command: [installed(bytes(process.execPath)), `${installation}/${MAIN}`],
        environment: [PATH],
        workingDirectory: work,
        hidden: hidden.map(bytes),
        exposed: [
          { name: 'work', source: bytes(request.workFolder), readOnly: false },
          { name: 'installation', source: root, readOnly: true },
        ],
      }),
      { stdin: input.fd, ...(processes !== undefined && { processes }) },
    );
    const kill = (): void => container.kill();
    signal?.addEventListener('abort', kill, { once: true });
    container.stderr.on(
      'data',
      (chunk: Buffer) => (complaints = (complaints + chunk.toString('utf8')).slice(-2000)),
    );
    try {
      // Both are waited for, whichever fails first: what is left of the build is never left alone.
      const [ended, read] = await Promise.allSettled([
        container.ended,
        readEvents(container.stdout, log).catch((error: unknown) => {
          kill();
          throw error;
        }),
      ]);
      signal?.throwIfAborted();
      if (ended.status === 'rejected') throw ended.reason;
      if (read.status === 'rejected') throw read.reason;
      [ending, events] = [ended.value, read.value];
    } finally {
      signal?.removeEventListener('abort', kill);
    }
  } finally {
    await input.close();
  }
  const { outcome } = events;
  if (outcome?.kind === 'built')
    return { path: request.output, size: outcome.size, architecture: outcome.architecture };
  if (outcome?.kind === 'failed') {
    throw new DomainError('unprocessable', outcome.message, {
      reason: outcome.reason,
      exitCode: 255,
      ...(outcome.remedy !== undefined && { remedy: outcome.remedy }),
    });
  }
  if (ending.fault?.kind === NAMESPACES)
    throw buildFailure(`A build needs user namespaces, and there are none here: ${ending.fault.message}`, {
      remedy:
        'Ask the administrator to allow them (user.max_user_namespaces, kernel.unprivileged_userns_clone), or build at a remote: sing build --remote.',
    });
  throw buildFailure(
    `The build program ended without a result: ${ending.fault?.message ?? lastLines(complaints, ending)}`,
  );
}

/** The request with the paths by which the enclosed process finds its files. */
function translated(
  request: EnclosedRequest,
  work: string,
  inside: (path: string) => string,
): EnclosedRequest {
  return {
    ...request,
    workFolder: work,
    output: inside(request.output),
    ...(request.context !== undefined && {
      context: { ...request.context, archive: inside(request.context.archive) },
    }),
    bases: Object.fromEntries(Object.entries(request.bases).map(([from, path]) => [from, inside(path)])),
  };
}

function lastLines(complaints: string, { status, signal }: Ending): string {
  const how = signal === null ? `exit status ${status ?? 'unknown'}` : `signal ${signal}`;
  const words = complaints.trim().split('\n').slice(-5).join('; ');
  return words === '' ? how : `${how}: ${words}`;
}
