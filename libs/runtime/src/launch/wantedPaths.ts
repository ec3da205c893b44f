import type { Host } from '../host.js';
import type { Environment } from '../options/environmentFlags.js';
import { settingOf } from '../options/environmentFlags.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { absolutePath, cleanPath } from '../paths.js';
import type { AbsolutePath } from '../plan.js';
import { refusal } from '../refusal.js';
import { resolveHome } from './home.js';
import type { LaunchPaths } from './launchPaths.js';
import { runtimeFolders } from './sharedServer.js';
import { siteBinds, userBinds } from './binds.js';

/** Existing directories of the host over which the session may be mounted, in this order: places that a launch does not need itself. */
export const SESSION_PLACES: readonly AbsolutePath[] = ['/mnt', '/run', '/srv', '/tmp', '/var/tmp'];

/** Devices of the host that a minimal /dev has (runtime contract §2.5). */
export const DEVICES: readonly AbsolutePath[] = [
  '/dev/tty',
  '/dev/null',
  '/dev/zero',
  '/dev/random',
  '/dev/urandom',
];

/** Where an image is unpacked when nothing better works. */
export function extractionDirectory(environment: Environment): AbsolutePath {
  const setting = settingOf(environment, 'TMPDIR')?.value ?? environment.get('TMPDIR');
  return setting !== undefined && setting.startsWith('/') ? cleanPath(setting) : '/tmp';
}

/** Every path of the host whose type a plan depends on. */
export function wantedPaths(
  options: LaunchOptions,
  launch: LaunchPaths,
  effectiveUid: number,
): ReadonlySet<AbsolutePath> {
  const { configuration, workingDirectory } = launch;
  const home = resolveHome(options, launch);
  const binds = [...siteBinds(configuration), ...userBinds(options, workingDirectory)];
  return new Set<AbsolutePath>([
    ...SESSION_PLACES,
    ...DEVICES,
    '/etc/resolv.conf',
    '/tmp',
    '/var/tmp',
    home.source,
    extractionDirectory(launch.environment),
    ...runtimeFolders(launch.environment, effectiveUid),
    ...binds.map((bind) => bind.source),
    ...(options.workdir === null ? [] : [absolutePath(workingDirectory, options.workdir)]),
    ...(workingDirectory === null ? [] : [absolutePath(null, workingDirectory)]),
  ]);
}

/**
 * The first of SESSION_PLACES that the host has.
 * @throws DomainError (status 255) when it has none
 */
export function firstSessionPlace(host: Host): AbsolutePath {
  const place = SESSION_PLACES.find((path) => {
    const status = host.status(path);
    return !('error' in status) && status.type === 'directory';
  });
  if (place === undefined)
    throw refusal(`expected one of the directories ${SESSION_PLACES.join(', ')} on the host, got none`);
  return place;
}
