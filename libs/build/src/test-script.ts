import type { RootTree } from '#libs/core';
import { buildFailure, describeResult } from './failure.js';
import type { BuildLog } from './log.js';
import type { BuildNetwork, ContainerRunner } from './runner.js';

const ACTION = `for script in /.singularity.d/env/*.sh; do
  if [ -f "$script" ]; then . "$script"; fi
done
exec /.singularity.d/test`;

/** Runs `%test` as the image's test action would, with the root read-only (definition contract §6). @throws DomainError */
export async function runTest(
  tree: RootTree,
  { runner, network }: { readonly runner: ContainerRunner; readonly network: BuildNetwork },
  log: BuildLog,
  signal: AbortSignal | undefined,
): Promise<void> {
  const result = await runner.run({
    name: '%test',
    root: tree.root,
    writable: false,
    command: ['/bin/sh', '-c', ACTION],
    environment: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
    binds: [],
    network,
    output: (chunk) => log.output(chunk),
    signal,
  });
  signal?.throwIfAborted();
  if (result.status !== 0)
    throw buildFailure(`failed to execute %test script: ${describeResult(result)}`, {
      remedy: 'Mend the image or the test; a build on your own machine with --notest leaves the test out.',
    });
}
