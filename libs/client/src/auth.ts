import {
  AUTH_PATHS,
  type ChangeUserRequest,
  type CreatedToken,
  CreatedTokenAnswer,
  type CreateTokenInput,
  type CreateUserInput,
  TokenAnswer,
  type TokenRecord,
  TokensAnswer,
  TokenStatus,
  UserAnswer,
  type UserRecord,
  UsersAnswer,
} from '#libs/contract';
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

type Call = Pick<RequestOptions, 'query'> & {
  readonly method?: RequestOptions['method'];
  readonly json?: unknown;
};

/** The auth service: tokens and accounts. */
export class AuthClient {
  readonly #http: HttpClient;
  readonly #options: AuthClientOptions;

  constructor(http: HttpClient, options: AuthClientOptions = {}) {
    this.#http = http;
    this.#options = options;
  }

  /** Makes a token. It is told once. */
  async createToken(request: CreateTokenInput): Promise<CreatedToken> {
    return (await this.#call(AUTH_PATHS.tokens, CreatedTokenAnswer, { method: 'POST', json: request })).data;
  }

  /** All tokens of an account, newest first; the caller's own without a name. */
  tokens(username?: string): Promise<readonly TokenRecord[]> {
    return this.#pages(AUTH_PATHS.tokens, TokensAnswer, { username });
  }

  /** Ends a token and what was exchanged from it. */
  async revokeToken(id: string): Promise<TokenRecord> {
    const path = `${AUTH_PATHS.tokens}/${encodeURIComponent(id)}`;
    return (await this.#call(path, TokenAnswer, { method: 'DELETE' })).data;
  }

  /** What the client's token is good for. */
  async tokenStatus(): Promise<TokenStatus['data']> {
    return (await this.#call(AUTH_PATHS.tokenStatus, TokenStatus)).data;
  }

  async createUser(request: CreateUserInput): Promise<UserRecord> {
    return (await this.#call(AUTH_PATHS.users, UserAnswer, { method: 'POST', json: request })).data;
  }

  /** All accounts in the order of their names. */
  users(): Promise<readonly UserRecord[]> {
    return this.#pages(AUTH_PATHS.users, UsersAnswer, {});
  }

  async changeUser(username: string, change: ChangeUserRequest): Promise<UserRecord> {
    const path = `${AUTH_PATHS.users}/${encodeURIComponent(username)}`;
    return (await this.#call(path, UserAnswer, { method: 'PATCH', json: change })).data;
  }

  async #pages<T>(
    url: string,
    schema: z.ZodType<{ data: T[]; page?: { next?: string | undefined } | undefined }>,
    query: Record<string, string | undefined>,
  ): Promise<readonly T[]> {
    const all: T[] = [];
    let cursor: string | undefined;
    do {
      const answer = await this.#call(url, schema, { query: { ...query, limit: PAGE, cursor } });
      all.push(...answer.data);
      cursor = answer.page?.next;
    } while (cursor !== undefined);
    return all;
  }

  async #call<S extends z.ZodType>(url: string, schema: S, call: Call = {}): Promise<z.output<S>> {
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
}

/** RFC 7617 §2. */
function basic({ username, password }: SignIn): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
