import {
  AUTH_PATHS,
  type ChangePasswordRequest,
  type ChangeUserRequest,
  type CreatedToken,
  CreatedTokenAnswer,
  type CreateTokenInput,
  type CreateUserInput,
  type RetiredKeys,
  RetiredKeysAnswer,
  TokenAnswer,
  type TokenRecord,
  TokensAnswer,
  UserAnswer,
  type UserDetails,
  UserDetailsAnswer,
  type UserRecord,
  UsersAnswer,
} from '#libs/contract';
import { AuthCalls, type AuthClientOptions } from './auth-calls.js';
import type { HttpClient } from './http.js';
import { OrganisationsClient } from './organisations.js';

/** The auth service: tokens, accounts and organisations. */
export class AuthClient {
  readonly organisations: OrganisationsClient;
  readonly #calls: AuthCalls;

  constructor(http: HttpClient, options: AuthClientOptions = {}) {
    this.#calls = new AuthCalls(http, options);
    this.organisations = new OrganisationsClient(this.#calls);
  }

  /** Makes a token. It is told once. */
  async createToken(request: CreateTokenInput): Promise<CreatedToken> {
    return (await this.#calls.call(AUTH_PATHS.tokens, CreatedTokenAnswer, { method: 'POST', json: request }))
      .data;
  }

  /** All tokens of an account, newest first; the caller's own without a name. */
  tokens(username?: string): Promise<readonly TokenRecord[]> {
    return this.#calls.pages(AUTH_PATHS.tokens, TokensAnswer, { username });
  }

  /** Ends a token and what was exchanged from it. */
  async revokeToken(id: string): Promise<TokenRecord> {
    const path = `${AUTH_PATHS.tokens}/${encodeURIComponent(id)}`;
    return (await this.#calls.call(path, TokenAnswer, { method: 'DELETE' })).data;
  }

  /** Ends every token that there is, and makes the key that signs from now on. Takes some seconds. */
  async retireKeys(): Promise<RetiredKeys> {
    return (await this.#calls.call(AUTH_PATHS.retireKeys, RetiredKeysAnswer, { method: 'POST' })).data;
  }

  async createUser(request: CreateUserInput): Promise<UserRecord> {
    return (await this.#calls.call(AUTH_PATHS.users, UserAnswer, { method: 'POST', json: request })).data;
  }

  /** All accounts in the order of their names. */
  users(): Promise<readonly UserRecord[]> {
    return this.#calls.pages(AUTH_PATHS.users, UsersAnswer, {});
  }

  /** One account, with its roles. */
  async user(username: string): Promise<UserDetails> {
    return (await this.#calls.call(pathOf(username), UserDetailsAnswer)).data;
  }

  async changeUser(username: string, change: ChangeUserRequest): Promise<UserRecord> {
    return (await this.#calls.call(pathOf(username), UserAnswer, { method: 'PATCH', json: change })).data;
  }

  /** Gives an account another password; all its sessions end. */
  async changePassword(username: string, change: ChangePasswordRequest): Promise<UserRecord> {
    const path = `${pathOf(username)}/password`;
    return (await this.#calls.call(path, UserAnswer, { method: 'PUT', json: change })).data;
  }
}

function pathOf(username: string): string {
  return `${AUTH_PATHS.users}/${encodeURIComponent(username)}`;
}
