import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type WebSocket from 'ws';
import type { z } from 'zod';
import { DomainError, expected } from '#libs/core';
import { Answer } from './http/answer.js';
import { Connections, type ConnectionOptions } from './http/connections.js';
import {
  isNetworkFailure,
  isUnknownAuthority,
  networkError,
  responseError,
  ResponseError,
} from './http/failures.js';
import { CLIENT_LIMITS } from './http/limits.js';
import { isRedirect, nextHop } from './http/redirects.js';
import { readRetryAfter } from './http/retry-after.js';

export interface HttpClientOptions extends ConnectionOptions {
  /** Base of every path: scheme, host, port and, where a service is mounted under one, a path prefix. */
  readonly baseUrl: string;
  /** Bearer token; sent to the origin of `baseUrl` and to nobody else. */
  readonly token?: string;
  /** Another `Authorization` than a bearer token, as it is sent; to the origin of `baseUrl` and to nobody else. */
  readonly authorization?: string;
  readonly userAgent: string;
  /** Takes the place of own connections; the giver closes it. */
  readonly dispatcher?: Dispatcher;
}

type Bytes = string | Uint8Array;
/** A body: bytes, a stream that can be sent once, or a function that makes one for every attempt. */
export type RequestBody = Bytes | Readable | (() => Bytes | Readable);

export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the base (`/v1/…`), or a whole address that a server handed out. */
  readonly url: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** Whether the token goes along (to the base's own origin only); true by default. */
  readonly authorize?: boolean;
  /** Statuses that are an answer; any 2xx by default. Every other one is thrown as a ResponseError. */
  readonly accept?: readonly number[];
  /** False: a redirect is an answer like any other. */
  readonly follow?: boolean;
  /** May be sent again after a failure of the network; true by default for everything but POST and PATCH. */
  readonly repeatable?: boolean;
  /** Milliseconds until the whole answer must be there; no limit when absent. */
  readonly timeout?: number;
  /** Milliseconds to wait for the first byte of the answer; {@link CLIENT_LIMITS.idle} when absent, 0 = for ever. */
  readonly headersTimeout?: number;
  readonly signal?: AbortSignal;
}

const RETRIED_STATUSES = new Set([429, 502, 503, 504]);

/** Requests to one service. Every failure is a DomainError with a sentence; aborts throw the signal's reason. */
export class HttpClient {
  readonly baseUrl: string;
  readonly #options: HttpClientOptions;
  readonly #base: URL;
  readonly #connections: Connections;

  /** @throws DomainError `bad_request` for a base that is no http or https address */
  constructor(options: HttpClientOptions) {
    const base = URL.parse(options.baseUrl);
    if (base === null || (base.protocol !== 'https:' && base.protocol !== 'http:')) {
      throw new DomainError(
        'bad_request',
        expected('an http:// or https:// address', 'a service', options.baseUrl),
      );
    }
    this.baseUrl = options.baseUrl.replace(/\/+$/, '');
    this.#options = options;
    this.#base = base;
    this.#connections = new Connections(base.origin, options);
  }

  /** Sends a request, follows redirects, repeats what may be repeated, and returns the accepted answer. */
  async request(options: RequestOptions): Promise<Answer> {
    const method = options.method ?? 'GET';
    const body = options.body;
    const replayable = !(body instanceof Readable);
    const repeatable = replayable && (options.repeatable ?? (method !== 'POST' && method !== 'PATCH'));
    for (let attempt = 1; ; attempt += 1) {
      const last = !repeatable || attempt >= CLIENT_LIMITS.attempts;
      try {
        const answer = await this.#follow(options, method);
        if (accepted(options, answer.status)) return answer;
        const asked = (readRetryAfter(answer.header('retry-after')) ?? 0) * 1000;
        // Who is to come back much later is not kept waiting here.
        if (last || !RETRIED_STATUSES.has(answer.status) || asked > CLIENT_LIMITS.retryAfter)
          throw await refusal(answer, method);
        await answer.discard();
        await pause(attempt, asked, options.signal);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof DomainError) throw error;
        const origin = this.#resolve(options).origin;
        // Nothing was sent yet: a site's own authority may be in the store of the machine.
        if (replayable && isUnknownAuthority(error) && (await this.#connections.trustSystem())) continue;
        if (last || !isNetworkFailure(error)) throw networkError(error, origin);
        await pause(attempt, 0, options.signal);
      }
    }
  }

  /** GET of JSON. @throws ResponseError and DomainError as {@link request} and {@link Answer.json} */
  async getJson<S extends z.ZodType>(
    url: string,
    schema: S,
    options: Omit<RequestOptions, 'url' | 'method' | 'body'> = {},
  ): Promise<z.output<S>> {
    return (await this.request({ ...options, url })).json(schema);
  }

  /** Sends JSON and reads JSON. @throws as {@link getJson} */
  async sendJson<S extends z.ZodType>(
    method: 'POST' | 'PUT' | 'DELETE',
    url: string,
    value: unknown,
    schema: S,
    options: Omit<RequestOptions, 'url' | 'method' | 'body'> = {},
  ): Promise<z.output<S>> {
    const headers = { 'content-type': 'application/json', ...options.headers };
    const body = JSON.stringify(value);
    return (await this.request({ ...options, method, url, headers, body })).json(schema);
  }

  /** Opens a websocket below the base, with the token; it is paused. @throws ResponseError when the handshake is refused */
  async openSocket(path: string, options: { timeout: number; signal?: AbortSignal }): Promise<WebSocket> {
    const { openSocket } = await import('./http/websocket.js');
    const { userAgent, proxies } = this.#options;
    const authorization = authorizationOf(this.#options);
    const url = new URL(this.baseUrl.replace(/^http/, 'ws') + path);
    const ca = this.#connections.authorities();
    return openSocket({
      url,
      headers: {
        'user-agent': userAgent,
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...options,
      ...(ca === undefined ? {} : { ca }),
      ...(proxies === undefined ? {} : { proxies }),
    });
  }

  /** Ends open connections. */
  async close(): Promise<void> {
    await this.#connections.close();
  }

  #resolve({ url, query }: RequestOptions): URL {
    const resolved = url.startsWith('/') ? new URL(this.baseUrl + url) : URL.parse(url, this.baseUrl);
    if (resolved === null) throw new DomainError('bad_request', expected('an address', 'a request', url));
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) resolved.searchParams.set(name, String(value));
    }
    return resolved;
  }

  async #follow(options: RequestOptions, firstMethod: string): Promise<Answer> {
    const timer = options.timeout === undefined ? undefined : AbortSignal.timeout(options.timeout);
    const signals = [timer, options.signal].filter((signal) => signal !== undefined);
    const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
    let hop = { url: this.#resolve(options), method: firstMethod, keepBody: true };
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#once(options, hop, signal);
      if (options.follow === false || !isRedirect(answer.status)) return answer;
      if (accepted(options, answer.status) && options.accept !== undefined) return answer;
      await answer.discard();
      if (redirects >= CLIENT_LIMITS.redirects) {
        throw new DomainError('unavailable', `${this.#base.origin} redirects without end`, {
          reason: 'bad_redirect',
        });
      }
      hop = nextHop(hop.url, hop.method, answer.status, answer.header('location'));
      if (hop.keepBody && options.body instanceof Readable) {
        throw new DomainError('unavailable', `${this.#base.origin} redirects an upload that was begun`, {
          reason: 'bad_redirect',
        });
      }
    }
  }

  async #once(
    options: RequestOptions,
    { url, method, keepBody }: { url: URL; method: string; keepBody: boolean },
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const body = keepBody ? options.body : undefined;
    const what = `${method} ${url.origin}${url.pathname}`;
    const dispatcher = this.#options.dispatcher ?? this.#connections.to(url);
    const response = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: this.#headers(options, url, keepBody),
      body: toBody(typeof body === 'function' ? body() : body),
      headersTimeout: options.headersTimeout ?? CLIENT_LIMITS.idle,
      ...(signal === undefined ? {} : { signal }),
    });
    return new Answer({
      status: response.statusCode,
      headers: response.headers,
      url,
      what,
      body: response.body,
      explain: (error) => (options.signal?.aborted ? options.signal.reason : networkError(error, url.origin)),
    });
  }

  #headers(options: RequestOptions, url: URL, keepBody: boolean): Record<string, string> {
    const { userAgent } = this.#options;
    const authorization = authorizationOf(this.#options);
    const headers: Record<string, string> = { 'user-agent': userAgent };
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (keepBody || !/^content-/i.test(name)) headers[name.toLowerCase()] = value;
    }
    // CVE-2022-23538: a token is for the server it was given for; a redirect or a handed-out address gets none.
    if (url.origin !== this.#base.origin) {
      delete headers['authorization'];
    } else if (options.authorize !== false && authorization !== undefined) {
      headers['authorization'] = authorization;
    }
    return headers;
  }
}

function authorizationOf({ token, authorization }: HttpClientOptions): string | undefined {
  if (authorization !== undefined) return authorization;
  return token === undefined || token === '' ? undefined : `Bearer ${token}`;
}

function toBody(body: Bytes | Readable | undefined): string | Buffer | Readable | null {
  if (body === undefined) return null;
  if (typeof body === 'string' || body instanceof Readable) return body;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function accepted(options: RequestOptions, status: number): boolean {
  return options.accept === undefined ? status >= 200 && status < 300 : options.accept.includes(status);
}

async function refusal(answer: Answer, method: string): Promise<ResponseError> {
  let body = '';
  try {
    body = await answer.text(CLIENT_LIMITS.error);
  } catch {
    // An error body that cannot be read changes nothing about the refusal.
  }
  const what = `${method} ${answer.url.origin}${answer.url.pathname}`;
  return responseError(answer.status, body, what, readRetryAfter(answer.header('retry-after')));
}

/** @param least milliseconds */
async function pause(attempt: number, least: number, signal: AbortSignal | undefined) {
  const backoff = CLIENT_LIMITS.backoff * 2 ** (attempt - 1) * (0.5 + Math.random());
  const milliseconds = Math.max(backoff, least);
  await delay(milliseconds, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}
