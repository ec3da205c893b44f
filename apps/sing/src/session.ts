import { arch } from 'node:os';
import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import type { BuilderClient, HttpClient, KeystoreClient, Proxies, ServiceUris } from '#libs/client';
import { withLoginRemedy } from './login-remedy.js';
import { readAuthorities } from './remotes/authority.js';
import { currentRemote, type Remote } from './remotes/remotes.js';

type Place = Surroundings;
type Client = typeof import('#libs/client');

const SERVICE_TITLES: Readonly<Record<string, string>> = {
  library: 'library',
  keystore: 'key server',
  builder: 'builder',
  token: 'token service',
};

/** Go's name of this machine's architecture, as libraries use it (library contract §9). */
export function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  return names[arch()] ?? arch();
}

/** `sing/0.1.0 (linux amd64)` */
function userAgent(version: string): string {
  return `sing/${version} (linux ${goArchitecture()})`;
}

/** One remote and its services. The HTTP client is loaded with the first request. */
export class Session {
  readonly remote: Remote;
  readonly #place: Place;
  readonly #open: HttpClient[] = [];
  #uris: Promise<ServiceUris> | undefined;

  constructor(place: Place, remote: Remote) {
    this.#place = place;
    this.remote = remote;
  }

  /** For a server that was named by its address: no remote, no token. */
  static withoutRemote(place: Place, address: string): Session {
    return new Session(place, {
      name: address,
      frontend: address,
      token: undefined,
      ca: undefined,
      alsoTrusts: undefined,
      insecure: true,
      exclusive: false,
      global: false,
      keyservers: [],
      credentials: [],
      origin: 'file',
    });
  }

  /** Addresses of the services, asked for once. */
  uris(): Promise<ServiceUris> {
    return (this.#uris ??= this.#discover());
  }

  /** The address of a service. @throws DomainError `not_found` when the remote has none */
  async uri(service: string): Promise<string> {
    const uri = (await this.uris()).get(service);
    if (uri !== undefined) return uri;
    const title = SERVICE_TITLES[service] ?? service;
    throw new DomainError('not_found', `The remote ${this.remote.name} has no ${title}`, {
      reason: 'no_service',
      remedy: 'Choose another remote: sing remote list, sing remote use NAME',
    });
  }

  /** A client of a service of this remote, with its token. */
  async service(name: string): Promise<HttpClient> {
    return this.at(await this.uri(name), { authorize: true });
  }

  async keystore(): Promise<KeystoreClient> {
    const { KeystoreClient } = await this.#client();
    return new KeystoreClient(await this.service('keystore'));
  }

  async builder(): Promise<BuilderClient> {
    const { BuilderClient } = await this.#client();
    return new BuilderClient(await this.service('builder'));
  }

  /**
   * A client of an address. "A token stored for a remote is attached only to that remote's advertised services" (builder
   * contract §7): say `authorize` for those alone.
   * @throws DomainError when a token would travel unencrypted though the person did not ask for that
   */
  async at(baseUrl: string, { authorize }: { authorize: boolean }): Promise<HttpClient> {
    const { HttpClient } = await this.#client();
    const { token, insecure, name } = this.remote;
    if (
      authorize &&
      token !== undefined &&
      baseUrl.startsWith('http:') &&
      !insecure &&
      !isLoopback(baseUrl)
    ) {
      throw new DomainError('forbidden', `The token of ${name} would travel unencrypted to ${baseUrl}`, {
        reason: 'insecure_address',
        remedy: 'The site should offer https; sing remote add --insecure allows it all the same',
      });
    }
    const trust = await this.#trust();
    const client = new HttpClient({
      baseUrl,
      userAgent: userAgent(this.#place.program.version),
      proxies: proxiesFrom(this.#place),
      ...trust,
      ...(authorize && token !== undefined ? { token } : {}),
    });
    this.#open.push(client);
    return client;
  }

  /**
   * A client of a server that was named in another way than by the remote: it gets no token of the remote, and the authority of an
   * instance vouches for the instance's own addresses alone.
   */
  async elsewhere(
    baseUrl: string,
    options: { readonly authorization?: string | undefined; readonly unverified?: boolean } = {},
  ): Promise<HttpClient> {
    const { HttpClient } = await this.#client();
    const { authorization, unverified } = options;
    const client = new HttpClient({
      baseUrl,
      userAgent: userAgent(this.#place.program.version),
      proxies: proxiesFrom(this.#place),
      ...((await this.#isOwn(baseUrl)) ? await this.#trust() : await this.#othersTrust()),
      ...(authorization === undefined ? {} : { authorization }),
      ...(unverified === true ? { unverified } : {}),
    });
    this.#open.push(client);
    return client;
  }

  /** The token. @throws DomainError `unauthorized` when nobody is logged in */
  requireToken(): string {
    const { token, name, origin } = this.remote;
    if (token !== undefined) return token;
    throw new DomainError('unauthorized', `You are not logged in to the remote ${name}`, {
      reason: 'no_token',
      remedy:
        origin === 'instance' ? 'Its token file is missing: start it again' : `sing remote login ${name}`,
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((client) => client.close()));
  }

  async #client(): Promise<Client> {
    return import('#libs/client');
  }

  async #discover(): Promise<ServiceUris> {
    const { discoverServices } = await this.#client();
    const frontend = await this.at(this.remote.frontend, { authorize: false });
    return discoverServices(frontend, { signal: this.#place.signal });
  }

  /** The instance's own authority and nobody else; or everybody's, those of this remote, and a file that was named. */
  async #trust(): Promise<{ ca?: string; alsoTrusts?: string }> {
    return this.remote.ca === undefined ? this.#othersTrust() : { ca: this.remote.ca };
  }

  async #isOwn(address: string): Promise<boolean> {
    // Only an instance has an authority of its own.
    if (this.remote.ca === undefined) return false;
    const uris = await this.uris().catch(() => new Map<string, string>());
    const origin = URL.parse(address)?.origin;
    return [this.remote.frontend, ...uris.values()].some((each) => URL.parse(each)?.origin === origin);
  }

  async #othersTrust(): Promise<{ alsoTrusts?: string }> {
    const { env } = this.#place;
    const setting = env.setting('CA_FILE');
    const file =
      setting?.value ??
      env.get('NODE_EXTRA_CA_CERTS') ??
      // The native part takes what steers Node out of its environment and hands it over under this name.
      env.get('SING_KEPT_NODE_EXTRA_CA_CERTS');
    const named =
      file === undefined
        ? undefined
        : await readAuthorities(this.#place, file, setting?.name ?? 'NODE_EXTRA_CA_CERTS');
    const more = [this.remote.alsoTrusts, named].filter((pem) => pem !== undefined);
    return more.length === 0 ? {} : { alsoTrusts: more.join('\n') };
  }
}

/** Runs work with the services of the current remote and closes the connections afterwards. */
export async function withSession<T>(place: Place, work: (session: Session) => Promise<T>): Promise<T> {
  return withRemote(place, await currentRemote(place), work);
}

/** As {@link withSession} for a given remote. Refusals of the token get the remedy that fits the remote. */
export async function withRemote<T>(
  place: Place,
  remote: Remote,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = new Session(place, remote);
  try {
    return await work(session);
  } catch (error) {
    throw withLoginRemedy(error, `Log in: sing remote login ${remote.name}`);
  } finally {
    await session.close();
  }
}

/** Whether an address names this machine itself, which nothing leaves on the way there. */
export function isLoopback(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Proxies of the environment, in both spellings; lower case wins. */
function proxiesFrom({ env }: Pick<Surroundings, 'env'>): Proxies {
  const http = env.get('http_proxy') ?? env.get('HTTP_PROXY');
  const https = env.get('https_proxy') ?? env.get('HTTPS_PROXY');
  const none = env.get('no_proxy') ?? env.get('NO_PROXY');
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(none === undefined ? {} : { none }),
  };
}
