import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import type { RegistryClient, RegistryOptions, RegistryReference } from '#libs/oci';
import { isLoopback, Session } from '../session.js';
import { credentialsFor } from './credentials.js';
import type { RegistryAccess } from './flags.js';

/** The one registry whose images and whose requests have different hosts. */
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** Base address of a registry. HTTPS, unless the person said otherwise: nothing is tried out with a password in hand. */
function addressOf(host: string, noHttps: boolean): string {
  if (DOCKER_HUB.has(host)) return 'https://registry-1.docker.io';
  return `${noHttps ? 'http' : 'https'}://${host}`;
}

/** The command that logs in to a registry. */
function loginLine(host: string): string {
  return `sing registry login oras://${host}`;
}

/** Runs work with what is needed to ask a registry, and closes the connections afterwards. */
export async function withRegistryHost<T>(
  place: Surroundings,
  { host, noHttps }: { host: string; noHttps: boolean },
  work: (options: Omit<RegistryOptions, 'credentials'>) => Promise<T>,
): Promise<T> {
  const address = addressOf(host, noHttps);
  const session = Session.withoutRemote(place, address);
  const open = (baseUrl: string) => session.at(baseUrl, { authorize: false });
  try {
    return await work({ http: await open(address), open, login: loginLine(host) });
  } catch (error) {
    throw withRemedy(error, address);
  } finally {
    await session.close();
  }
}

/** The same for one repository, as whoever the person is there. */
export async function withRegistry<T>(
  place: Surroundings,
  reference: RegistryReference,
  { access, actions }: { access: RegistryAccess; actions: 'pull' | 'pull,push' },
  work: (registry: RegistryClient) => Promise<T>,
): Promise<T> {
  const { host } = reference;
  return withRegistryHost(place, { host, noHttps: access.noHttps }, async (options) => {
    const { RegistryClient } = await import('#libs/oci');
    const credentials = async () => {
      const found = await credentialsFor(place, host, access);
      if (found !== undefined) warnUnencrypted(place, options.http.baseUrl);
      return found;
    };
    return work(new RegistryClient({ ...options, credentials }, reference, actions));
  });
}

/** Says that a password is about to be seen by the network. */
export function warnUnencrypted({ log }: Pick<Surroundings, 'log'>, address: string): void {
  if (address.startsWith('http:') && !isLoopback(address))
    log.warning(`The password travels unencrypted to ${address}`);
}

/** What listens without TLS looks like something broken. */
function withRemedy(error: unknown, address: string): unknown {
  if (!(error instanceof DomainError) || error.reason !== 'unreachable' || !error.message.includes(' TLS '))
    return error;
  return new DomainError(error.code, error.message, {
    reason: error.reason,
    remedy: `If the registry has no TLS, say so with --no-https: everybody on the way to ${new URL(address).host} can read and change what it sends then`,
    cause: error,
  });
}
