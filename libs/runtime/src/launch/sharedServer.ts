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

/**
 * The server that starts of this user share, or null where each start has its own: by configuration, as root, whose servers several users may use, and with --fakeroot, whose
 * other ids would need a mount that is open to everybody.
 */
export function sharedServer(facts: Facts, mode: Mode): ImageBackend | null {
  const { configuration, environment, identity, paths } = facts;
  if (mode.kind !== 'user' || configuration.imageServerIdle === 0) return null;
  const uid = identity.effectiveUid;
  const own = runtimeFolders(environment, uid).find((path) => {
    const status = paths.get(path);
    return status?.type === 'directory' && status.uid === uid && status.mode === 0o700;
  });
  return {
    kind: 'shared',
    folder: own === undefined ? `/tmp/sing-${uid}` : `${own}/sing`,
    idleSeconds: Math.min(configuration.imageServerIdle, LONGEST_IDLE),
  };
}
