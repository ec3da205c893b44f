import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Surroundings } from '#libs/cli';
import type { AuthClient, HttpClient, ServiceUris, SignIn } from '#libs/client';
import { type Endpoint, installation } from '#libs/config';
import { DomainError, systemCode } from '#libs/core';

/** What `scripts/up` writes about a running instance. */
const EndpointFile = z.object({
  url: z.url({ protocol: /^https?$/ }),
  caFile: z.string(),
  tokenFile: z.string(),
  username: z.string(),
  pid: z.number().int(),
  version: z.string(),
}) satisfies z.ZodType<Endpoint>;

/** The running instance that commands work on. */
export interface Instance {
  readonly url: string;
  /** The services that its front end names. */
  readonly services: ServiceUris;
  /** A client of one of its addresses, with the administrator's token. */
  readonly at: (baseUrl: string) => HttpClient;
  /** The auth service, as the administrator or as somebody who signs in. */
  readonly auth: (signIn?: SignIn) => AuthClient;
}

/**
 * Runs work on the instance of SCS_HOME, or of the checkout that this program lies in, and closes the connections afterwards.
 * @throws DomainError when none runs there, or its files are not what `scripts/up` writes
 */
export async function withInstance<T>(
  place: Surroundings,
  work: (instance: Instance) => Promise<T>,
): Promise<T> {
  const { home, endpoint } = await readEndpoint(place);
  const { AuthClient, discoverServices, HttpClient } = await import('#libs/client');
  const token = (await readOptional(resolve(home, endpoint.tokenFile)))?.trim();
  const ca = await readOptional(resolve(home, endpoint.caFile));
  const open: HttpClient[] = [];
  const at = (baseUrl: string): HttpClient => {
    const client = new HttpClient({
      baseUrl,
      userAgent: `scs/${place.program.version}`,
      ...(ca === undefined ? {} : { ca }),
      ...(token === undefined ? {} : { token }),
    });
    open.push(client);
    return client;
  };
  const { signal } = place;
  try {
    const services = await discoverServices(at(endpoint.url), { signal }).catch((error: unknown) => {
      // Auth in a process of its own, without a front end: what is here is all that is known.
      if (error instanceof DomainError && error.code === 'not_found')
        return new Map([['token', endpoint.url]]);
      throw error;
    });
    return await work({
      url: endpoint.url,
      services,
      at,
      auth: (signIn) =>
        new AuthClient(at(services.get('token') ?? endpoint.url), {
          signal,
          ...(signIn === undefined ? {} : { signIn }),
        }),
    });
  } catch (error) {
    throw explained(error, token === undefined ? endpoint.tokenFile : undefined);
  } finally {
    await Promise.all(open.map((client) => client.close()));
  }
}

/** The state folder of the instance that commands work on: SCS_HOME, or the one of this checkout. */
export function homeOf({ env, cwd }: Pick<Surroundings, 'env' | 'cwd'>): string {
  const named = env.get('SCS_HOME');
  return named === undefined ? join(installation().folder, '.scs') : resolve(cwd, named);
}

/** What a running instance says of itself; undefined: none runs. @throws DomainError for a file that is none of ours */
export async function runningEndpoint(
  place: Pick<Surroundings, 'env' | 'cwd'>,
): Promise<Endpoint | undefined> {
  const file = join(homeOf(place), 'endpoint.json');
  const text = await readOptional(file);
  if (text === undefined) return undefined;
  try {
    return EndpointFile.parse(JSON.parse(text));
  } catch (error) {
    throw new DomainError('bad_request', `${file} is not what scripts/up writes`, {
      reason: 'bad_endpoint_file',
      remedy: 'Start the instance again with ./scripts/up',
      cause: error,
    });
  }
}

async function readEndpoint(place: Surroundings): Promise<{ home: string; endpoint: Endpoint }> {
  const home = homeOf(place);
  const endpoint = await runningEndpoint(place);
  if (endpoint !== undefined) return { home, endpoint };
  throw new DomainError('not_found', `No instance runs in ${home}`, {
    reason: 'no_instance',
    remedy: 'Start it with ./scripts/up, or name its folder in SCS_HOME',
  });
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A refusal for want of a token says where the token should have come from. */
function explained(error: unknown, missingTokenFile: string | undefined): unknown {
  if (!(error instanceof DomainError) || error.code !== 'unauthorized') return error;
  if (!error.reason.startsWith('token_') && error.reason !== 'credentials_missing') return error;
  const remedy =
    missingTokenFile === undefined
      ? "Sign in with the administrator's password: --as admin"
      : `${missingTokenFile} is missing: sign in with the administrator's password (--as admin)`;
  return new DomainError('unauthorized', error.message, { reason: error.reason, remedy, cause: error });
}
