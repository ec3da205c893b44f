import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { AuthModule } from '#apps/auth/src/auth.module';
import { BuilderModule } from '#apps/builder/src/builder.module';
import type { Ticket } from '#libs/contract';
import { type Clock, newObjectId, systemClock } from '#libs/core';
import { proofAudience, ServiceKey, TokenVerifier } from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from './app.js';
import type { TestDatabase } from './databases.js';
import type { RedisServer } from './redis.js';

const PASSWORD = 'correct horse battery';
export const SCRATCH = 'bootstrap: scratch\n%runscript\necho hi\n';
export const DONE = { outcome: 'succeeded', imageSize: 42, imageChecksum: `sha256.${'a'.repeat(64)}` };
export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** What a log socket sent until it was closed, or the status that refused it. */
export type Followed = { text: string; code: number } | { refused: number };

export interface BuilderOptions {
  /** An existing state folder, for a second start on the same data. */
  readonly home?: string;
  readonly clock?: Clock;
  readonly env?: Readonly<Record<string, string>>;
  /** Without one there is no queue. */
  readonly redis?: RedisServer;
}

/** A builder with its accounts and without a worker: tests play the worker. */
export class TestBuilder {
  readonly #tries = new Map<string, string>();

  private constructor(
    readonly app: StartedApp,
    readonly admin: string,
    private readonly worker: ServiceKey,
  ) {}

  static async start(database: TestDatabase, options: BuilderOptions = {}): Promise<TestBuilder> {
    const { home, clock, redis, env } = options;
    const app = await startApp({
      modules: [AuthModule, BuilderModule],
      env: {
        SCS_SERVICES: 'auth,builder',
        SCS_LIBRARY_URL: 'https://localhost:1',
        ...(redis !== undefined && { SCS_REDIS_URL: redis.url }),
        ...database.env,
        ...env,
      },
      ...(home !== undefined && { home }),
      ...(clock !== undefined && { clock }),
    });
    const worker = await ServiceKey.open({
      service: 'worker',
      dataFolder: app.config.dataFolder('worker'),
      home: app.home,
      clock: clock ?? systemClock,
    });
    return new TestBuilder(app, (await readFile(join(app.home, 'admin.token'), 'utf8')).trim(), worker);
  }

  /** The token of a new account that may build. */
  async account(username: string): Promise<string> {
    await this.app.request('/v1/auth/users', {
      method: 'POST',
      token: this.admin,
      json: { username, password: PASSWORD },
    });
    return (await this.token(username)).token;
  }

  async token(
    username: string,
    scopes: string[] = ['build', 'library:read', 'library:write'],
    more: object = {},
  ): Promise<{ id: string; token: string }> {
    const made = await this.app.request('/v1/auth/tokens', {
      method: 'POST',
      headers: { authorization: `Basic ${base64(`${username}:${PASSWORD}`)}` },
      json: { name: 'test', scopes, ...more },
    });
    return made.body.data;
  }

  revoke(username: string, tokenId: string): Promise<AppAnswer> {
    return this.app.request(`/v1/auth/tokens/${tokenId}`, {
      method: 'DELETE',
      headers: { authorization: `Basic ${base64(`${username}:${PASSWORD}`)}` },
    });
  }

  submit(json: object, token: string): Promise<AppAnswer> {
    return this.app.request('/v1/build', { method: 'POST', token, json });
  }

  /** The id of a new build. */
  async submitted(token: string, json: object = {}): Promise<string> {
    const answer = await this.submit({ definitionRaw: base64(SCRATCH), libraryRef: '', ...json }, token);
    if (answer.status !== 200)
      throw new Error(`Expected 200 for a submit, got ${JSON.stringify(answer.body)}`);
    return answer.body.data.id;
  }

  async status(id: string, token: string) {
    return (await this.app.request(`/v1/build/${id}`, { token })).body.data;
  }

  cancel(id: string, token: string): Promise<AppAnswer> {
    return this.app.request(`/v1/build/${id}/_cancel`, { method: 'PUT', token });
  }

  /** A fresh proof of the worker's key, or of another service's. */
  async proof(key: ServiceKey = this.worker, audience: 'auth' | 'builder' = 'builder'): Promise<string> {
    const issuer = await this.app.get<TokenVerifier>(TokenVerifier).issuer();
    return key.assertion(proofAudience(issuer, audience));
  }

  /** A try with a name of its own, whose worker all later calls play. */
  async ticket(id: string, tryId = newObjectId()): Promise<AppAnswer> {
    this.#tries.set(id, tryId);
    const json = { clientAssertion: await this.proof(), tryId };
    return this.app.request(`/v1/build/${id}/_ticket`, { method: 'POST', json });
  }

  async started(id: string): Promise<Ticket> {
    return (await this.ticket(id)).body.data;
  }

  say(
    id: string,
    token: string,
    offset: number,
    text: string | Uint8Array,
    tryId = this.tryOf(id),
  ): Promise<AppAnswer> {
    const path = `/v1/build/${id}/_log?offset=${offset}&try=${tryId}`;
    return this.app.request(path, { method: 'PUT', token, body: text });
  }

  finish(id: string, token: string, json: object, tryId = this.tryOf(id)): Promise<AppAnswer> {
    return this.app.request(`/v1/build/${id}/_finish?try=${tryId}`, { method: 'PUT', token, json });
  }

  /** The try that began last. */
  tryOf(id: string): string {
    return this.#tries.get(id) ?? '0'.repeat(24);
  }

  socket(id: string, token: string, options: { query?: string; origin?: string } = {}): WebSocket {
    return new WebSocket(`${this.app.url.replace(/^http/, 'ws')}/v1/build-ws/${id}${options.query ?? ''}`, {
      ca: this.app.ca,
      ...(token !== '' && { headers: { authorization: `BEARER ${token}` } }),
      ...(options.origin !== undefined && { origin: options.origin }),
    });
  }

  /** Everything that a log socket sends, and how it closes. */
  follow(id: string, token: string, options: { query?: string; origin?: string } = {}): Promise<Followed> {
    return new Promise((resolve, reject) => {
      const socket = this.socket(id, token, options);
      let text = '';
      socket.on('message', (data: Buffer, binary) => (text += binary ? '(binary)' : data.toString('utf8')));
      socket.on('close', (code) => resolve({ text, code }));
      socket.on('unexpected-response', (_, response) => resolve({ refused: response.statusCode ?? 0 }));
      socket.on('error', reject);
    });
  }

  stop(): Promise<void> {
    return this.app.stop();
  }
}
