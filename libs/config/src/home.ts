import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { DomainError, systemCode } from '#libs/core';
import type { ScsConfig } from './config.js';
import { diskReserves } from './reserve.js';

/**
 * Makes the state folder and what every process expects in it, all 0700, and checks that it can be written.
 * Safe to repeat and to run in several processes at once.
 * @throws DomainError with one sentence when the folder cannot be used
 */
export function prepareHome(config: ScsConfig): void {
  try {
    refuseForeign(config.home);
    privateFolder(config.home);
    for (const folder of [config.logFolder, join(config.home, 'data'), join(config.home, 'tls')])
      privateFolder(folder);
    for (const service of config.services) privateFolder(config.dataFolder(service));
    prepareRunFolder(config);
    for (const reserve of diskReserves(config)) reserve.makeRoom();
    checkWritable(config.home);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw unusable(config.home, error);
  }
}

/** What may lie in a state folder before its first start: a volume, a password that somebody chose, a start that was killed. */
const OURS = /^(?:data|log|run|tls|service-keys|reserve|admin\..+|\.probe-\d+|lost\+found)$/;

/**
 * The state folder is closed to everybody else. For `/tmp`, `/srv` or `/`, named by mistake and owned by root, that would be the
 * end of the machine: a folder that others use and that holds what is not ours is refused.
 */
function refuseForeign(home: string): void {
  const found = lstatSync(home, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true || (found.mode & 0o077) === 0) return;
  const names = readdirSync(home);
  const foreign = names.find((name) => !OURS.test(name));
  if (foreign === undefined || (names.includes('data') && names.includes('tls'))) return;
  throw new DomainError(
    'unprocessable',
    `SCS_HOME ${home} is open to other users and holds something else (${foreign}): it would be closed to them`,
    { remedy: 'Choose a folder of its own with SCS_HOME.' },
  );
}

function privateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory()) throw new DomainError('unprocessable', `${folder} is not a folder`);
  const me = process.getuid?.();
  if (me !== undefined && found.uid !== me)
    throw new DomainError('unprocessable', `${folder} belongs to another user (uid ${found.uid})`, {
      remedy: 'Choose a folder of your own with SCS_HOME, or start as its owner.',
    });
  // A umask or an earlier hand may have left it open to others.
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

function prepareRunFolder(config: ScsConfig): void {
  const link = join(config.home, 'run');
  privateFolder(config.runFolder);
  if (config.runFolder === link || linkTarget(link) === config.runFolder) return;
  rmSync(link, { recursive: true, force: true });
  symlinkSync(config.runFolder, link);
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function checkWritable(home: string): void {
  const probe = join(home, `.probe-${process.pid}`);
  writeFileSync(probe, 'x', { mode: 0o600 });
  unlinkSync(probe);
}

function unusable(home: string, error: unknown): DomainError {
  const code = systemCode(error) ?? 'unknown error';
  const why: Record<string, string> = {
    EACCES: 'permission is missing',
    EPERM: 'permission is missing',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space is left on the device',
    EDQUOT: 'the disk quota is used up',
    ENOTDIR: 'a part of the path is not a folder',
    EEXIST: 'a file is where a folder has to be',
  };
  return new DomainError('unprocessable', `SCS_HOME ${home} cannot be written: ${why[code] ?? code}`, {
    remedy: 'Choose another folder with SCS_HOME.',
    cause: error,
  });
}
