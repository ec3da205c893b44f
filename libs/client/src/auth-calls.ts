import type { z } from 'zod';
import type { HttpClient, RequestOptions } from './http.js';

const TIMEOUT = 15_000;
/** Lists are read in pages of this many. */
const PAGE = 500;

export interface SignIn {
  readonly username: string;
  readonly password: string;
}

export interface AuthClientOptions {
  /** Proves the account by its password where the service takes that, in place of the client's token. */
  readonly signIn?: SignIn;
  readonly signal?: AbortSignal;
}

interface Call {
  readonly method?: RequestOptions['method'];
  readonly query?: RequestOptions['query'];
  readonly json?: unknown;
}

/** Requests to the auth service and their answers, by token or by password. */
export class AuthCalls {
  readonly #http: HttpClient;
  readonly #options: AuthClientOptions;

  constructor(http: HttpClient, options: AuthClientOptions) {
    this.#http = http;
    this.#options = options;
  }

  /** One request. @throws DomainError what the service says */
  async call<S extends z.ZodType>(url: string, schema: S, call: Call = {}): Promise<z.output<S>> {
    const { signIn, signal } = this.#options;
    const { json, method = 'GET', query } = call;
    const answer = await this.#http.request({
      url,
      method,
      timeout: TIMEOUT,
      ...(query === undefined ? {} : { query }),
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(signal === undefined ? {} : { signal }),
      ...(signIn === undefined ? {} : { authorize: false }),
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(signIn === undefined ? {} : { authorization: basic(signIn) }),
      },
    });
    return answer.json(schema);
  }

  /** A whole list, page by page. */
  async pages<T>(
    url: string,
    schema: z.ZodType<{ data: T[]; page?: { next?: string | undefined } | undefined }>,
    query: Record<string, string | undefined> = {},
  ): Promise<readonly T[]> {
    const all: T[] = [];
    let cursor: string | undefined;
    do {
      const answer = await this.call(url, schema, { query: { ...query, limit: PAGE, cursor } });
      all.push(...answer.data);
      cursor = answer.page?.next;
    } while (cursor !== undefined);
    return all;
  }
}

/** RFC 7617 §2. */
function basic({ username, password }: SignIn): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
