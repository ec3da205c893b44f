import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ordinaryId, PROGRAM, type Ended } from './containers.js';

/** How an ordinary user finds /dev/fuse: open to everybody, as udev makes it, or closed. `root`: it is root who starts, and finds what there is. */
export type FuseDevice = 'open' | 'closed' | 'root';

/**
 * A shell script that gives its arguments a mount namespace of their own in which /dev/fuse is as wanted, and an ordinary user's id. Only root can make that;
 * anybody else takes the device as it is.
 */
const PREPARE = `
set -e
mode=$1 folder=$2 id=$3
shift 3
mount --make-rprivate /
mknod "$folder/fuse-$mode" c 10 229 2>/dev/null || true
chmod "$mode" "$folder/fuse-$mode"
mount --bind "$folder/fuse-$mode" /dev/fuse
exec setpriv --reuid "$id" --regid "$id" --clear-groups "$@"
`;

/** True when tests that need FUSE are to be skipped; with SING_MUST_WORK=1 they run and fail. */
export function skipFuse(): boolean {
  const reason = whyNoFuse();
  if (reason === null) return false;
  if (process.env['SING_MUST_WORK'] === '1') throw new Error(`Expected FUSE to work here, but ${reason}`);
  process.stderr.write(`skipped: ${reason}\n`);
  return true;
}

function whyNoFuse(): string | null {
  if (process.getuid?.() === 0) return null;
  try {
    openSync('/dev/fuse', 'r+');
    return null;
  } catch {
    return '/dev/fuse is not open to users here, and only root can change that for a test';
  }
}

/** The command that runs the program, as an ordinary user with /dev/fuse as wanted. `folder` is a folder of the test, `privileges` are words for setpriv. */
export function commandWithFuse(
  folder: string,
  device: FuseDevice,
  words: readonly string[],
  privileges: readonly string[] = [],
): string[] {
  if (process.getuid?.() !== 0 || device === 'root') return [PROGRAM, ...words];
  const mode = device === 'open' ? '0666' : '0600';
  return [
    'unshare',
    '--mount',
    'sh',
    '-c',
    PREPARE,
    'sh',
    mode,
    folder,
    String(ordinaryId()),
    ...privileges,
    PROGRAM,
    ...words,
  ];
}

/** The environment of `runWithFuse`. */
export const ENVIRONMENT = { HOME: '/var/tmp', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'dumb' };

/**
 * Runs the program, as an ordinary user with /dev/fuse as wanted. It leads a process group of its own: a payload that signals its whole group reaches no program of
 * another test, which has the same user.
 */
export async function runWithFuse(
  folder: string,
  device: FuseDevice,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const [program = '', ...args] = commandWithFuse(folder, device, words);
  const child = spawn(program, args, {
    cwd: '/',
    env: { ...ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = new Promise<Pick<Ended, 'status' | 'signal'>>((settle, fail) => {
    child.once('error', fail);
    child.once('close', (status, signal) => settle({ status, signal }));
  });
  const [stdout, stderr, how] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { ...how, stdout, stderr };
}

/** Words for the program that set how long a shared image server stays without a start; 0: every start has its own. */
export function serverIdle(folder: string, seconds: number): readonly string[] {
  const path = join(folder, `idle-${seconds}.conf`);
  // Not again while somebody reads it.
  if (!existsSync(path))
    writeFileSync(
      path,
      `image server idle = ${seconds}\nunpacked cache size = 0\nbind path = /etc/localtime, /etc/hosts\n`,
    );
  return ['-c', path];
}

/** Makes a squashfs of a directory. */
export function makeSquashfs(directory: string, image: string, ...options: readonly string[]): string {
  execFileSync(
    'mksquashfs',
    [directory, image, '-noappend', '-quiet', '-no-progress', '-all-root', ...options],
    { stdio: 'ignore' },
  );
  return image;
}
