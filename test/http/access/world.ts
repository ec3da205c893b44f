import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AuthModule } from '#apps/auth/src/auth.module';
import { BuilderModule } from '#apps/builder/src/builder.module';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { WebModule } from '#apps/web/src/web.module';
import { type AudienceName, SCOPE_NAMES } from '#libs/contract';
import { newObjectId, systemClock } from '#libs/core';
import { proofAudience, ServiceKey, TokenVerifier } from '#libs/server';
import { type AccountName, type Caller, EVERYDAY, scopesOf } from '../../support/access/callers.js';
import type { Rule } from '../../support/access/table.js';
import { type AppAnswer, type AppRequest, type StartedApp, startApp } from '../../support/app.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { BadTokens } from './bad-tokens.js';

export const PASSWORD = 'correct horse battery';
/** The organisations: what the first one has is public, what the second one has is private. */
export const GUILD = 'guild';
export const VAULT = 'vault';
/** Somebody who never asks. */
export const BYSTANDER = 'bystander';
const ROBOT = 'ci';
const PEOPLE = ['stranger', 'reader', 'writer', 'owner', 'deputy'] as const;
/** A service whose exchanged tokens another one has to refuse. */
const ANOTHER: Readonly<Record<string, AudienceName>> = { library: 'builder' };

/** A request without what says who asks. */
export interface Asked extends AppRequest {
  readonly path: string;
}

/** Where a token is presented. */
export interface Place {
  readonly service: string;
  /** The build that an exchanged token is for; of no build unless said. */
  readonly job?: string | undefined;
}

/** An instance with everybody in it of whom the table speaks. */
export class World {
  readonly #tokens = new Map<string, Promise<string>>();
  readonly #sessions = new Map<string, { readonly cookie: string; readonly proof: string }>();
  readonly #keys = new Map<string, ServiceKey>();
  #serial = 0;

  /** Everybody but the robot who asks. Each owns an organisation `of-<name>`: being somebody there is nothing elsewhere. */
  readonly people = [...PEOPLE, 'admin'] as const;

  private constructor(
    readonly app: StartedApp,
    private admin: string,
    private readonly badTokens: BadTokens,
    private readonly redis: RedisServer | undefined,
  ) {}

  static async start({ withQueue = false }: { readonly withQueue?: boolean } = {}): Promise<World> {
    const redis = withQueue ? await startRedis() : undefined;
    const app = await startApp({
      modules: [AuthModule, KeystoreModule, LibraryModule, BuilderModule, WebModule],
      env: {
        SCS_SERVICES: 'auth,keystore,library,builder,web',
        // Wrong passwords are counted for each address: see `elsewhere`.
        SCS_TRUSTED_PROXIES: '127.0.0.1',
        SCS_WKD_DOMAINS: 'example.org',
        ...(redis !== undefined && { SCS_REDIS_URL: redis.url }),
      },
    });
    const world = new World(app, await adminTokenOf(app), await BadTokens.of(app), redis);
    await world.#settle();
    return world;
  }

  async stop(): Promise<void> {
    await this.app.stop();
    await this.redis?.stop();
  }

  /** After every token has ended: all of them are made anew. */
  async forgetTokens(): Promise<void> {
    this.#tokens.clear();
    this.admin = await adminTokenOf(this.app);
  }

  /** A number that was not there before. */
  next(): number {
    this.#serial += 1;
    return this.#serial;
  }

  /** Headers of a request from an address that nobody has asked from before. */
  elsewhere(): Readonly<Record<string, string>> {
    const number = this.next();
    return { 'x-forwarded-for': `10.1.${Math.floor(number / 250)}.${1 + (number % 250)}` };
  }

  /** The data of an answer that has to be good. */
  async must(asked: Asked): Promise<AppAnswer['body']> {
    const { status, body } = await this.app.request(asked.path, asked);
    if (status < 300) return body?.data ?? body;
    throw new Error(`${asked.method ?? ''} ${asked.path}: ${status} ${JSON.stringify(body)}`);
  }

  /** The same, asked by the administrator of the first start. */
  asAdmin(method: string, path: string, json?: object): Promise<AppAnswer['body']> {
    return this.must({ method, path, token: this.admin, ...(json !== undefined && { json }) });
  }

  /** What says who asks: headers of a request. */
  async credentials(caller: Caller, rule: Rule, at: Place): Promise<Readonly<Record<string, string>>> {
    const { shows, account } = caller;
    if (shows === 'nothing' || account === undefined) return {};
    if (shows === 'password') return { authorization: basic(account) };
    if (shows === 'session') return { cookie: (await this.session(account)).cookie };
    return { authorization: `Bearer ${await this.tokenOf(caller, rule, at)}` };
  }

  /** The token that a caller presents; for callers who have none a text that is no token. */
  async tokenOf(caller: Caller, rule: Rule, { service, job = newObjectId() }: Place): Promise<string> {
    const { shows, account, fault, exchanged, scopes } = caller;
    if (shows !== 'token' || account === undefined) return 'none';
    const username = usernameOf(account);
    const carried = scopesOf(caller, rule);
    if (fault !== undefined) return this.#once(fault, () => this.#bad(fault, username));
    if (exchanged !== undefined) {
      const audience =
        exchanged === 'for this service' ? (service as AudienceName) : (ANOTHER[service] ?? 'library');
      return this.badTokens.exchanged(await this.token(username), { audience, scopes: carried, job });
    }
    if (scopes !== 'elsewhere') return this.token(username, carried);
    return this.token(
      username,
      carried.map((name) => (name.startsWith('library:') ? `${name}:elsewhere/tools` : name)),
    );
  }

  /** A token of an account; the same one every time. */
  token(username: string, scopes: readonly string[] = EVERYDAY): Promise<string> {
    const key = `${username} ${scopes.join(' ')}`;
    return this.#once(key, async () => (await this.newToken(username, scopes)).token);
  }

  /** A token that nobody else uses. */
  newToken(username: string, scopes: readonly string[] = EVERYDAY): Promise<{ id: string; token: string }> {
    return this.asAdmin('POST', '/v1/auth/tokens', { name: 'matrix', scopes, username });
  }

  /** The cookie of somebody who has signed in, and what the forms of that session carry. */
  async session(username: string): Promise<{ readonly cookie: string; readonly proof: string }> {
    const known = this.#sessions.get(username);
    if (known !== undefined) return known;
    const asked = form({ username, password: PASSWORD });
    const signedIn = await this.app.request('/auth/sign-in', asked);
    const cookie = String(signedIn.headers['set-cookie']).split(';')[0] ?? '';
    const { body } = await this.app.request('/auth/account', { headers: { cookie } });
    const proof = /name="proof" value="([\w-]+)"/.exec(String(body))?.[1];
    if (proof === undefined) throw new Error(`${username} could not sign in: ${signedIn.status}`);
    const session = { cookie, proof };
    this.#sessions.set(username, session);
    return session;
  }

  /** What is asked next ends the session. */
  endsSession(username: string): void {
    this.#sessions.delete(username);
  }

  /** A fresh proof of which service asks which other one. */
  async proofOf(service: 'worker' | 'builder', to: 'auth' | 'builder'): Promise<string> {
    const { home, config } = this.app;
    const options = { service, dataFolder: config.dataFolder(service), home, clock: systemClock };
    const key = this.#keys.get(service) ?? (await ServiceKey.open(options));
    this.#keys.set(service, key);
    return key.assertion(proofAudience(await this.app.get(TokenVerifier).issuer(), to));
  }

  async #bad(fault: NonNullable<Caller['fault']>, username: string): Promise<string> {
    const { id, token } = await this.newToken(username, SCOPE_NAMES);
    return this.badTokens.make(fault, token, () => this.asAdmin('DELETE', `/v1/auth/tokens/${id}`));
  }

  #once(key: string, make: () => Promise<string>): Promise<string> {
    const known = this.#tokens.get(key) ?? make();
    this.#tokens.set(key, known);
    return known;
  }

  /** An account with {@link PASSWORD}. */
  addUser(username: string): Promise<unknown> {
    const administrator = username === 'deputy';
    return this.asAdmin('POST', '/v1/auth/users', { username, password: PASSWORD, administrator });
  }

  async #settle(): Promise<void> {
    await Promise.all([...PEOPLE, BYSTANDER].map((username) => this.addUser(username)));
    for (const owner of this.people)
      await this.asAdmin('POST', '/v1/auth/organisations', { name: `of-${owner}`, owner });
    for (const name of [GUILD, VAULT]) {
      await this.asAdmin('POST', '/v1/auth/organisations', { name, owner: 'owner' });
      for (const [username, role] of Object.entries({ deputy: 'owner', writer: 'writer', reader: 'reader' }))
        await this.asAdmin('PUT', `/v1/auth/organisations/${name}/members/${username}`, { role });
    }
    await this.asAdmin('POST', `/v1/auth/organisations/${VAULT}/robots`, { name: ROBOT, role: 'writer' });
  }
}

/** Of a person also the name of the entity that belongs to the account. */
export function usernameOf(account: AccountName): string {
  return account === 'robot' ? `${VAULT}.${ROBOT}` : account;
}

/** The token that the first start has left, or the one that has replaced it since. */
async function adminTokenOf({ home }: StartedApp): Promise<string> {
  return (await readFile(join(home, 'admin.token'), 'utf8')).trim();
}

/** The header of a user name and a password. */
function basic(username: string): string {
  return `Basic ${Buffer.from(`${username}:${PASSWORD}`).toString('base64')}`;
}

/** A form as a browser sends it. */
export function form(fields: Readonly<Record<string, string>>): AppRequest {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  };
}
