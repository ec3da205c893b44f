import type { Flags } from '#libs/cli';

/** Who somebody is at a registry, for one command (runtime contract §1.4). */
export const registryFlags = {
  'docker-username': {
    type: 'string',
    value: 'NAME',
    env: ['DOCKER_USERNAME'],
    summary: 'name at the registry of oras://, for this command alone',
  },
  'docker-password': {
    type: 'string',
    value: 'PASSWORD',
    env: ['DOCKER_PASSWORD'],
    summary: 'its password; others on this machine can see it: better in SING_DOCKER_PASSWORD',
  },
  'docker-login': { type: 'boolean', env: ['DOCKER_LOGIN'], summary: 'ask for name and password' },
  authfile: {
    type: 'string',
    value: 'FILE',
    env: ['AUTHFILE'],
    summary: 'file with names and passwords for registries, instead of the usual ones',
  },
} as const satisfies Flags;

/** What those flags said. */
export interface RegistryAccess {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly asks: boolean;
  readonly authfile: string | undefined;
  readonly noHttps: boolean;
}

/** The same from the flags of any command. */
export function registryAccess(flags: Readonly<Record<string, unknown>>): RegistryAccess {
  const text = (name: string) => {
    const value = flags[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    username: text('docker-username'),
    password: text('docker-password'),
    asks: flags['docker-login'] === true,
    authfile: text('authfile'),
    noHttps: flags['no-https'] === true,
  };
}
