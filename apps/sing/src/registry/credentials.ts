import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import type { Credentials } from '#libs/oci';
import { authFilePath, dockerFilePath, readAuthFile } from './auth-file.js';
import type { RegistryAccess } from './flags.js';

/**
 * Who somebody is at a registry: what this command says, then the environment, then the file of `sing registry login`, then Docker's.
 * A file that was named is the only one that is looked at. Undefined: nobody in particular.
 */
export async function credentialsFor(
  place: Surroundings,
  host: string,
  access: RegistryAccess,
): Promise<Credentials | undefined> {
  const { env, prompts, log } = place;
  if (access.asks) {
    return {
      username: await prompts.text({ message: `Name at ${host}`, flag: '--docker-username', fromPipe: true }),
      password: await prompts.password({ message: 'Password', flag: 'SING_DOCKER_PASSWORD', fromPipe: true }),
    };
  }
  const username = access.username ?? env.get('DOCKER_USERNAME');
  const password = access.password ?? env.get('DOCKER_PASSWORD');
  if (username !== undefined && password !== undefined) return { username, password };
  if (username !== undefined || password !== undefined) {
    const [there, missing] = username === undefined ? ['password', 'name'] : ['name', 'password'];
    throw new DomainError('bad_request', `There is a ${there} for ${host} and no ${missing}`, {
      reason: 'incomplete_credentials',
      remedy: 'Say both, SING_DOCKER_USERNAME and SING_DOCKER_PASSWORD, or neither',
    });
  }
  const own = await readAuthFile(place, authFilePath(place, access.authfile), access.authfile === undefined);
  const known = own.find(host);
  if (known !== undefined || access.authfile !== undefined) return known;
  // A file of somebody else's: what is wrong with it is no reason to fail.
  const docker = await readAuthFile(place, dockerFilePath(place), false).catch((error: unknown) => {
    if (!(error instanceof DomainError)) throw error;
    log.warning(error.message);
    return undefined;
  });
  const found = docker?.find(host);
  if (found === undefined && docker?.hasHelper(host) === true)
    log.info(
      `Docker keeps its password for ${host} where sing does not look: sing registry login oras://${host}`,
    );
  return found;
}
