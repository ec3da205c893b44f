import { Module } from '@nestjs/common';
import { Issuer } from '#apps/auth/src/issuer';
import type { Actor } from '#libs/contract';
import { type Clock, systemClock } from '#libs/core';
import {
  type ExchangedToken,
  proofAudience,
  provideTokenExchange,
  ServiceKey,
  TokenExchange,
  TokenVerifier,
} from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';
import { ProbeModule, World } from './world.js';

@Module({ providers: [provideTokenExchange('builder')], exports: [provideTokenExchange('builder')] })
class ExchangingModule {}

/** Where the tokens of these tests may write. */
export const CONTAINER = 'alice/demo/hello';

/** The builder in a process of its own on the same machine, with auth in another one. */
export class Exchanging {
  /** Tokens of alice by their scopes: an account gets a limited number of new ones in a minute. */
  readonly #tokens = new Map<string, string>();

  private constructor(
    readonly world: World,
    readonly builder: StartedApp,
    readonly key: ServiceKey,
    /** An account that may build and write. */
    readonly alice: string,
    private readonly database: TestDatabase,
  ) {}

  /** @param home an existing state folder, for a second start on the same data; it is not removed at the end */
  static async start(
    database: TestDatabase,
    { clock = systemClock, home }: { readonly clock?: Clock; readonly home?: string } = {},
  ): Promise<Exchanging> {
    const world = await World.start(database, home, clock);
    const builder = await startApp({
      modules: [ExchangingModule, ProbeModule],
      home: world.app.home,
      env: {
        SCS_SERVICES: 'builder',
        SCS_AUTH_URL: world.app.url,
        SCS_LIBRARY_URL: 'https://localhost:1',
      },
      clock,
    });
    const dataFolder = builder.config.dataFolder('builder');
    const key = await ServiceKey.open({ service: 'builder', dataFolder, home: world.app.home, clock });
    return new Exchanging(world, builder, key, await world.user(), database);
  }

  /** A key of another service of this instance. */
  keyOf(service: 'keystore' | 'worker'): Promise<ServiceKey> {
    const { home, config } = this.world.app;
    return ServiceKey.open({ service, dataFolder: config.dataFolder(service), home, clock: systemClock });
  }

  /** A fresh proof, of the builder for auth unless said otherwise. */
  proof(key: ServiceKey = this.key, audience: 'auth' | 'builder' = 'auth'): Promise<string> {
    return key.assertion(proofAudience(this.world.app.get(Issuer).name, audience));
  }

  actorOf(token: string): Promise<Actor> {
    return this.builder.get(TokenVerifier).verify(token);
  }

  /** As the builder does it. */
  async exchange(token: string, changes: object = {}): Promise<ExchangedToken> {
    return this.builder.get(TokenExchange).exchange(await this.actorOf(token), {
      audience: 'library',
      scopes: ['library:write', 'library:read'],
      subject: { job: 'a1b2', container: CONTAINER },
      lifetime: 3600,
      ...changes,
    });
  }

  /** The bare form, to send what no client of ours sends. */
  async form(
    token: string,
    changes: Readonly<Record<string, string | undefined>> = {},
    to: StartedApp = this.world.app,
  ): Promise<AppAnswer> {
    const fields = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await this.proof(),
      audience: 'library',
      scope: 'library:write',
      job: 'a1b2',
      container: CONTAINER,
      lifetime: '600',
      ...changes,
    };
    const body = new URLSearchParams(
      Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ).toString();
    return to.request('/v1/auth/token', { body });
  }

  /** Status and reason of what a form is answered with, for a good token of alice with these scopes. */
  async refusal(
    changes: Readonly<Record<string, string | undefined>>,
    scopes: readonly string[] = ['library:read', 'library:write', 'build'],
  ): Promise<readonly [number, string | undefined]> {
    const known = this.#tokens.get(scopes.join(' '));
    const token = known ?? (await this.world.token(this.alice, { scopes })).token;
    this.#tokens.set(scopes.join(' '), token);
    const { status, body } = await this.form(token, changes);
    return [status, body.error?.reason];
  }

  /** Ends a token as an administrator does. */
  async revoke(id: string): Promise<void> {
    await this.world.expect(this.world.send('DELETE', `/tokens/${id}`));
  }

  async stop(): Promise<void> {
    await this.builder.stop();
    await this.world.app.stop();
    await this.database.stop();
  }
}
