import { type DynamicModule, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { importJWK, SignJWT } from 'jose';
import {
  ANY_SERVICE,
  type Jwks,
  type RevocationFeed,
  type RevocationEntry,
  SCOPE_NAMES,
  SIGNED_TYPES,
  type TokenClaims,
} from '#libs/contract';
import { newObjectId } from '#libs/core';
import {
  newPrivateJwk,
  newRolesKey,
  publicPart,
  type Roles,
  sealRoles,
  type TokenAuthority,
  TokenVerifier,
} from '#libs/server';

export interface TestToken {
  readonly username: string;
  readonly scopes?: readonly string[];
  readonly administrator?: boolean;
  /** The roles that the account has from now on, with every token; none were told before. */
  readonly organisations?: Roles;
  /** The claims that a test wants otherwise. */
  readonly claims?: Partial<TokenClaims>;
}

/** Makes tokens for tests of services that run without the auth service; the guard and the verifier are the real ones. */
export class TestAuthority implements TokenAuthority {
  readonly issuer = `urn:scs:${newObjectId()}`;
  #jwk: Awaited<ReturnType<typeof newPrivateJwk>>;
  readonly #accounts = new Map<string, { readonly id: string; readonly rolesKey: string }>();
  readonly #entries: RevocationEntry[] = [];

  private constructor(jwk: Awaited<ReturnType<typeof newPrivateJwk>>) {
    this.#jwk = jwk;
  }

  static async make(): Promise<TestAuthority> {
    return new TestAuthority(await newPrivateJwk());
  }

  /** The verifier of the server under test, once it runs. */
  verifier: TokenVerifier | undefined;

  /** For `startApp({ modules: [KeystoreModule, authority.module()], env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: … } })`. */
  module(): DynamicModule {
    return {
      module: TestAuthorityModule,
      providers: [{ provide: TestAuthority, useValue: this }, Connector],
    };
  }

  /** A token of an account; the same user name is always the same account. All scopes unless said otherwise. */
  async token({
    username,
    scopes,
    administrator = false,
    organisations,
    claims,
  }: TestToken): Promise<string> {
    if (organisations !== undefined) await this.#tell(username, organisations);
    const now = Math.floor(Date.now() / 1000);
    return this.sign({
      iss: this.issuer,
      aud: ANY_SERVICE,
      sub: this.accountId(username),
      jti: newObjectId(),
      iat: now,
      exp: now + 3600,
      scope: (scopes ?? SCOPE_NAMES.filter((name) => name !== 'admin' || administrator)).join(' '),
      username,
      email: `${username}@example.com`,
      name: username,
      administrator,
      kind: 'user',
      rolesKey: this.#account(username).rolesKey,
      ...claims,
    });
  }

  /** Signs whatever a test wants, with the instance's key. */
  async sign(claims: Record<string, unknown>, type: string = SIGNED_TYPES.accessToken): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: type, kid: this.#jwk.kid })
      .sign(await importJWK(this.#jwk, 'ES256'));
  }

  accountId(username: string): string {
    return this.#account(username).id;
  }

  /** Ends a token by its id. Known to a server after its next look, under half a second later. */
  revoke(id: string): void {
    const until = Math.floor(Date.now() / 1000) + 86_400;
    this.#entries.push({ kind: 'token', sequence: this.#entries.length + 1, id, until });
  }

  /** Replaces the key: everything that was signed so far has ended when this resolves. */
  async retire(): Promise<void> {
    this.#jwk = await newPrivateJwk();
    await this.verifier?.refreshAfterChange();
  }

  /** Disables an account; known to the server when this resolves. */
  async disable(username: string): Promise<void> {
    await this.#tell(username, {}, true);
  }

  async noteUse(): Promise<void> {}

  async jwks(): Promise<Jwks> {
    return { issuer: this.issuer, keys: [publicPart(this.#jwk)] };
  }

  async revocations(after: number): Promise<RevocationFeed> {
    return {
      iss: this.issuer,
      time: Date.now(),
      after,
      head: this.#entries.length,
      keys: [this.#jwk.kid],
      entries: this.#entries.slice(after, after + 500),
    };
  }

  #account(username: string): { readonly id: string; readonly rolesKey: string } {
    const account = this.#accounts.get(username) ?? { id: newObjectId(), rolesKey: newRolesKey() };
    this.#accounts.set(username, account);
    return account;
  }

  /** Puts the state of an account into the feed; known to the server when this resolves. */
  async #tell(username: string, roles: Roles, disabled = false): Promise<void> {
    const { id, rolesKey } = this.#account(username);
    const organisations = await sealRoles(rolesKey, roles);
    this.#entries.push({
      kind: 'account',
      sequence: this.#entries.length + 1,
      id,
      disabled,
      administrator: false,
      ...(organisations === undefined ? {} : { organisations }),
    });
    await this.verifier?.refreshAfterChange();
  }
}

@Injectable()
class Connector implements OnModuleInit {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly authority: TestAuthority,
  ) {}

  async onModuleInit(): Promise<void> {
    this.authority.verifier = this.verifier;
    this.verifier.useAuthority(this.authority);
    await this.verifier.refresh();
  }
}

@Module({})
class TestAuthorityModule {}
