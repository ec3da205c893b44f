import { z } from 'zod';
import type { Answer, HttpClient } from '#libs/client';
import { DomainError, expected } from '#libs/core';
import { type Challenge, parseChallenges } from './challenge.js';
import { REGISTRY_LIMITS } from './limits.js';
import { refused } from './refusal.js';

/** Who somebody is at a registry. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What an authorization needs of the world around it. */
export interface AuthorizationPlace {
  /** Base address of the registry. */
  readonly registry: URL;
  /** Undefined: as nobody in particular. Asked for once, and only when the registry wants to know. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** A client of another address, which gets nothing that was meant for the registry. */
  readonly open: (baseUrl: string) => Promise<Pick<HttpClient, 'request'>>;
  /** The command that logs in. */
  readonly login: string;
}

const TokenAnswer = z.object({
  token: z
    .string()
    .max(64 * 1024)
    .optional(),
  access_token: z
    .string()
    .max(64 * 1024)
    .optional(),
  expires_in: z.number().optional(),
});

/**
 * What is shown to one registry for one purpose: nothing until it asks; then name and password, or a token that the service which
 * it names gives for them. They are sent to the registry and to that service, and to nobody else.
 */
export class Authorization {
  readonly #place: AuthorizationPlace;
  /** `repository:<name>:<actions>`; undefined for no more than to be known. */
  readonly #scope: string | undefined;
  #credentials: Promise<Credentials | undefined> | undefined;
  #header: { readonly value: string; readonly until: number } | undefined;
  /** The answer to what is asked at the moment: several requests at once get one token. */
  #asking: Promise<boolean> | undefined;
  /** How the last challenge was, for the renewal of a token. */
  #challenge: Challenge | undefined;

  constructor(place: AuthorizationPlace, scope: string | undefined) {
    this.#place = place;
    this.#scope = scope;
  }

  /** The value of `Authorization`, renewed when it is about to end; undefined while nobody has asked for one. */
  async header(signal?: AbortSignal): Promise<string | undefined> {
    const ends = this.#header !== undefined && this.#header.until <= Date.now();
    if (ends && this.#challenge !== undefined) await this.#once([this.#challenge], signal);
    return this.#header?.value;
  }

  /**
   * Takes a refusal (401) as the question who asks.
   * @param shown what the refused request had shown
   * @returns whether asking again makes sense: something is shown now that was not before
   * @throws DomainError when the token service refuses, or is one that nothing may be sent to
   */
  async answer(answer: Answer, shown: string | undefined, signal?: AbortSignal): Promise<boolean> {
    // Whoever the registry redirected to has no right to ask.
    if (answer.url.origin !== this.#place.registry.origin) return false;
    // Another request has been refused at the same time, and got something.
    if (this.#header !== undefined && this.#header.value !== shown) return true;
    const header = answer.headers['www-authenticate'];
    const challenges = parseChallenges(header === undefined ? [] : [header].flat());
    return this.#once(challenges, signal);
  }

  #once(challenges: readonly Challenge[], signal: AbortSignal | undefined): Promise<boolean> {
    return (this.#asking ??= this.#meet(challenges, signal).finally(() => (this.#asking = undefined)));
  }

  async #meet(challenges: readonly Challenge[], signal: AbortSignal | undefined): Promise<boolean> {
    const bearer = challenges.find(
      ({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'),
    );
    if (bearer !== undefined) {
      this.#challenge = bearer;
      this.#header = await this.#token(bearer, signal);
      return true;
    }
    const basic = challenges.some(({ scheme }) => scheme === 'basic');
    const credentials = basic ? await this.#who() : undefined;
    if (credentials === undefined) return false;
    this.#header = { value: basicHeader(credentials), until: Number.POSITIVE_INFINITY };
    return true;
  }

  #who(): Promise<Credentials | undefined> {
    return (this.#credentials ??= this.#place.credentials());
  }

  /** Token specification of the distribution project: GET of the realm with service and scope, Basic where there is a password. */
  async #token({ parameters }: Challenge, signal: AbortSignal | undefined) {
    const { login, open, registry } = this.#place;
    const realm = realmOf(parameters.get('realm') ?? '', registry);
    const service = parameters.get('service');
    const scope = scopeFor(parameters.get('scope'), this.#scope);
    const credentials = await this.#who();
    const http = await open(realm.origin);
    const answer = await http.request({
      url: realm.href,
      query: { service, scope, ...(credentials === undefined ? {} : { account: credentials.username }) },
      ...(credentials === undefined ? {} : { headers: { authorization: basicHeader(credentials) } }),
      accept: [200, 400, 401, 403, 404],
      timeout: REGISTRY_LIMITS.documentTime,
      ...(signal === undefined ? {} : { signal }),
    });
    if (answer.status !== 200)
      throw await refused(
        answer,
        `a token of ${realm.origin} for ${credentials?.username ?? 'nobody in particular'}`,
        login,
      );
    const { token, access_token, expires_in } = await answer.json(TokenAnswer, REGISTRY_LIMITS.token);
    const value = token ?? access_token ?? '';
    if (!/^[\x21-\x7E]+$/.test(value))
      throw new DomainError('unavailable', `${realm.origin} gives no token that could be sent`, {
        reason: 'bad_answer',
      });
    const lasts =
      Math.max(expires_in ?? 0, REGISTRY_LIMITS.tokenSeconds) * 1000 - REGISTRY_LIMITS.tokenMargin;
    return { value: `Bearer ${value}`, until: Date.now() + lasts };
  }
}

/**
 * What a token is asked for. A registry names what one request needs; the own words are for all that is going to be done, so that one
 * token does. Some call it something else altogether, `aws` for example.
 */
function scopeFor(named: string | undefined, own: string | undefined): string | undefined {
  return named === undefined || named.startsWith('repository:') ? (own ?? named) : named;
}

/**
 * The token service that a registry names. A password goes there, so it has to be encrypted; only who speaks plain HTTP with the
 * registry itself, because they asked for that, does so with a service on the same host.
 * @throws DomainError `insecure_realm`
 */
function realmOf(text: string, registry: URL): URL {
  const realm = URL.parse(text);
  if (realm !== null && realm.username === '' && realm.password === '') {
    if (realm.protocol === 'https:') return realm;
    if (realm.protocol === 'http:' && registry.protocol === 'http:' && realm.hostname === registry.hostname)
      return realm;
  }
  throw new DomainError(
    'unavailable',
    expected('an https:// address', `the token service of ${registry.host}`, text),
    {
      reason: 'insecure_realm',
      remedy:
        'Nothing was sent there. The administrator of the registry has to name its token service with https://',
    },
  );
}

/** RFC 7617; names cannot have colons. */
export function basicHeader({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
