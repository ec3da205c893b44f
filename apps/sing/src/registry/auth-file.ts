import { chmod, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, messageOf, placeFile, systemCode, withFileLock } from '#libs/core';
import type { AuthFile } from '#libs/oci';
import { configFolder, makePrivate } from '../folders.js';

type Place = Pick<Surroundings, 'env' | 'cwd' | 'log'>;

/** Where passwords for registries are kept, by us and the stock programs: `~/.singularity/docker-config.json` (runtime contract §1.8). */
export function authFilePath(place: Place, named: string | undefined): string {
  return named === undefined ? join(configFolder(place), 'docker-config.json') : resolve(place.cwd, named);
}

/** Docker's own file, which is read and never written. */
export function dockerFilePath({ env, cwd }: Place): string {
  const folder = env.get('DOCKER_CONFIG');
  return folder === undefined
    ? join(env.get('HOME') ?? homedir(), '.docker', 'config.json')
    : join(resolve(cwd, folder), 'config.json');
}

/**
 * Reads a file with passwords; a missing one is empty.
 * @param ours its mode is put right when others could read it
 * @throws DomainError with the path for one that cannot be read
 */
export async function readAuthFile(place: Place, path: string, ours: boolean): Promise<AuthFile> {
  const { AuthFile, REGISTRY_LIMITS } = await import('#libs/oci');
  try {
    const { mode, size } = await stat(path);
    if (size > REGISTRY_LIMITS.authFile)
      throw new DomainError('too_large', `${path} is larger than ${REGISTRY_LIMITS.authFile} bytes`);
    if (ours && (mode & 0o077) !== 0) {
      place.log.warning(`${path} holds passwords and could be read by others; its mode is 0600 now`);
      await chmod(path, 0o600);
    }
    return AuthFile.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return AuthFile.parse('{}');
    if (!(error instanceof DomainError) || error.reason !== 'bad_auth_file') throw error;
    throw new DomainError('bad_request', `${path}: ${messageOf(error)}`, {
      reason: error.reason,
      remedy: 'Correct it, or move it away and log in again: sing registry login',
      cause: error,
    });
  }
}

/** Changes the file while no other program of ours does; what cannot be read is never overwritten. */
export async function changeAuthFile(
  place: Place,
  named: string | undefined,
  change: (file: AuthFile) => AuthFile,
): Promise<string> {
  const path = authFilePath(place, named);
  if (named === undefined) await makePrivate(dirname(path), place);
  await withFileLock(`${path}.lock`, async () => {
    const text = change(await readAuthFile(place, path, true)).toText();
    await placeFile(path, { overwrite: true, mode: 0o600 }, (file) => file.writeFile(text));
  });
  return path;
}
