import {
  AUTH_PATHS,
  CurrentUser,
  DISCOVERY_PATH,
  DiscoveryDocument,
  TokenStatus,
  VersionAnswer,
} from '#libs/contract';
import type { Answer } from './http/answer.js';
import type { HttpClient, RequestOptions } from './http.js';

/** Timeouts of the stock clients in milliseconds (library contract §2.3). */
const TIMEOUTS = { discovery: 10_000, token: 10_000, identity: 5_000, version: 30_000 } as const;

/** Services by their name in the discovery document without `API`; `keystore` also under its other spelling. */
export type ServiceUris = ReadonlyMap<string, string>;

type CallOptions = Pick<RequestOptions, 'signal'>;

/**
 * Asks a front end where its services are: "for each key the suffix `API` is cut; if the object has a string `uri` the
 * rest is the service name, else the key is ignored" (library contract §2.1).
 * @param http client of the front end, without a token
 */
export async function discoverServices(http: HttpClient, options: CallOptions = {}): Promise<ServiceUris> {
  const document = await http.getJson(DISCOVERY_PATH, DiscoveryDocument, {
    authorize: false,
    timeout: TIMEOUTS.discovery,
    ...options,
  });
  const services = new Map<string, string>();
  for (const [key, { uri }] of Object.entries(document)) {
    if (uri !== undefined && key.endsWith('API')) services.set(key.slice(0, -3), uri.replace(/\/+$/, ''));
  }
  const keyserver = services.get('keyserver');
  if (keyserver !== undefined && !services.has('keystore')) services.set('keystore', keyserver);
  return services;
}

/** What a service calls its version. @param http client of the service */
export async function serviceVersion(http: HttpClient, options: CallOptions = {}): Promise<string> {
  const answer = await http.getJson('/version', VersionAnswer, {
    authorize: false,
    timeout: TIMEOUTS.version,
    ...options,
  });
  return answer.data.version;
}

/**
 * Whether the client's token is good: "200; body ignored. … 404 Invalid Credentials" (library contract §2.3).
 * @param http client of the token service, with the token
 */
export async function isTokenValid(http: HttpClient, options: CallOptions = {}): Promise<boolean> {
  const answer = await askTokenStatus(http, options);
  await answer.discard();
  return answer.status === 200;
}

/** Whether a token is good, and what is known of it. */
export interface CheckedToken {
  readonly valid: boolean;
  /** undefined where the token is refused, and where a token service of another kind does not say. */
  readonly status: TokenStatus['data'] | undefined;
}

/** The same, with what the token service tells: who, what, until when. */
export async function checkToken(http: HttpClient, options: CallOptions = {}): Promise<CheckedToken> {
  const answer = await askTokenStatus(http, options);
  if (answer.status !== 200) {
    await answer.discard();
    return { valid: false, status: undefined };
  }
  // The status alone is the contract; the body of other services is nothing that could be wrong.
  const status = await answer.json(TokenStatus).then(
    ({ data }) => data,
    () => undefined,
  );
  options.signal?.throwIfAborted();
  return { valid: true, status };
}

function askTokenStatus(http: HttpClient, options: CallOptions): Promise<Answer> {
  return http.request({
    url: AUTH_PATHS.tokenStatus,
    accept: [200, 401, 404],
    timeout: TIMEOUTS.token,
    ...options,
  });
}

/** Who the token belongs to, or undefined when it is refused. @param http client of the library, with the token */
export async function currentUser(
  http: HttpClient,
  options: CallOptions = {},
): Promise<CurrentUser | undefined> {
  const answer = await http.request({
    url: '/v1/rbac/users/current',
    accept: [200, 401, 404],
    timeout: TIMEOUTS.identity,
    ...options,
  });
  if (answer.status === 200) return answer.json(CurrentUser);
  await answer.discard();
  return undefined;
}
