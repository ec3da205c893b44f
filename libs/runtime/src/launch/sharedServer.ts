import type { Facts } from '../facts.js';
import type { Environment } from '../options/environmentFlags.js';
import { cleanPath } from '../paths.js';
import type { AbsolutePath, ImageBackend } from '../plan.js';
import type { Mode } from './mode.js';

/** Seconds. Beyond a day it would be a daemon. */
const LONGEST_IDLE = 24 * 60 * 60;

/** Folders that may be the runtime folder of a user, in this order. */
export function runtimeFolders(environment: Environment, uid: number): readonly AbsolutePath[] {
  const named = environment.get('XDG_RUNTIME_DIR') ?? '';
  return [...(named.startsWith('/') ? [cleanPath(named)] : []), `/run/user/${uid}`];
}

/** What the shared mount is made by: a FUSE server for users, the kernel for root, and nothing with --fakeroot, whose other ids would need a mount that is open to everybody. */
function madeBy({ configuration, fuse }: Facts, mode: Mode): 'fuse' | 'loop' | null {
  if (mode.kind === 'user') return fuse ? 'fuse' : null;
  return mode.kind === 'root' && configuration.kernelSquashfs ? 'loop' : null;
}

/** The mount that starts of this user share, or null where each start has its own. */
export function sharedServer(facts: Facts, mode: Mode): ImageBackend | null {
  const { configuration, environment, identity, paths } = facts;
  const by = madeBy(facts, mode);
  if (by === null || configuration.imageServerIdle === 0) return null;
  const uid = identity.effectiveUid;
  const own = runtimeFolders(environment, uid).find((path) => {
    const status = paths.get(path);
    return status?.type === 'directory' && status.uid === uid && status.mode === 0o700;
  });
  // Nobody but root makes folders in /run, and containers do not see it.
  const otherwise = by === 'loop' ? '/run/sing' : `/tmp/sing-${uid}`;
  return {
    kind: 'shared',
    by,
    folder: own === undefined ? otherwise : `${own}/sing`,
    idleSeconds: Math.min(configuration.imageServerIdle, LONGEST_IDLE),
  };
}
