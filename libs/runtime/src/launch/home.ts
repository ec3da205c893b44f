import type { LaunchOptions } from '../options/launchOptions.js';
import { absolutePath, cleanPath } from '../paths.js';
import type { AbsolutePath } from '../plan.js';
import type { LaunchPaths } from './launchPaths.js';

/** The home directory of a launch: where it comes from on the host, and where it is in the container. */
export interface Home {
  readonly source: AbsolutePath;
  readonly destination: AbsolutePath;
  /** The caller named it with --home. */
  readonly given: boolean;
}

/** The home of the account, of --home, and in a fakeroot container /root (runtime contract §2.6). Without an account: the caller's HOME, else `/`. */
export function resolveHome(options: LaunchOptions, launch: LaunchPaths): Home {
  const { account, configuration, environment, workingDirectory } = launch;
  const inside = (path: AbsolutePath): AbsolutePath => (options.fakeroot ? '/root' : path);
  if (options.home !== null && configuration.userBindControl) {
    const source = absolutePath(workingDirectory, options.home.source);
    return { source, destination: options.home.destination ?? inside(source), given: true };
  }
  const known = account?.home ?? environment.get('HOME') ?? '/';
  const source = known.startsWith('/') ? cleanPath(known) : '/';
  return { source, destination: inside(source), given: false };
}
