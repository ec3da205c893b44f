import { spawnSync } from 'node:child_process';
import { skipContainers } from './containers.js';
import { lacking } from './needs.js';

/** Why no containers can be started in a world of their own (scripts/soak/containers): namespaces with a /proc. Undefined when they can. */
export function lackingWorld(): string | undefined {
  const reason = skipContainers() ? 'containers cannot be started' : lacking('unshare', 'mksquashfs');
  if (reason !== undefined || process.env['SING_MUST_WORK'] === '1') return reason;
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const words = [...user, '--mount', '--pid', '--fork', 'mount', '-t', 'proc', 'proc', '/proc'];
  return spawnSync('unshare', words).status === 0 ? undefined : 'no /proc can be mounted in a PID namespace';
}
