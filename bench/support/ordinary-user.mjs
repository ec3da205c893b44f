import { spawnSync } from 'node:child_process';

const NOBODY = '65534';

/**
 * Runs a bench again as an ordinary user who may use /dev/fuse, when root started it: containers are for users. Root gives it the id of
 * `nobody` and a /dev/fuse of its own that is open. False: it is run by an ordinary user already.
 */
export function againAsUser(file, words) {
  if (process.getuid?.() !== 0) return false;
  const script = [
    'set -e',
    'mount --make-rprivate /',
    'mount -t tmpfs -o mode=1777 tmpfs /mnt',
    'mknod -m 0666 /mnt/fuse c 10 229',
    'mount --bind /mnt/fuse /dev/fuse',
    'umount -l /mnt',
    `exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups env HOME=/var/tmp USER=nobody "$0" "$@"`,
  ].join('\n');
  const command = ['--mount', 'sh', '-c', script, process.execPath, file, ...words];
  process.exitCode = spawnSync('unshare', command, { stdio: 'inherit', cwd: '/' }).status ?? 1;
  return true;
}
