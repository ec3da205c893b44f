import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import { AuthModule } from '#apps/auth/src/auth.module';
import type { Actor } from '#libs/contract';
import type { Clock } from '#libs/core';
import { Audience, CurrentActor, Requires } from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';

/** Stands for the routes of any other service. */
@Controller('v1/probe')
@Audience('library')
class ProbeController {
  @Get()
  read(@CurrentActor() actor: Actor | undefined): object {
    return { data: { ...actor, token: undefined } };
  }

  @Post('write')
  @HttpCode(200)
  @Requires('library:write')
  write(): object {
    return { data: 'written' };
  }
}

@Controller('v1/other')
class OtherController {
  @Get()
  read(): object {
    return { data: 'read' };
  }
}

@Module({ controllers: [ProbeController, OtherController] })
export class ProbeModule {}

export const PASSWORD = 'correct horse battery';

/** A running auth service with its administrator, and shortcuts for what tests do with it. */
export class World {
  readonly app: StartedApp;
  readonly admin: string;
  #names = 0;

  private constructor(app: StartedApp, admin: string) {
    this.app = app;
    this.admin = admin;
  }

  static async start(database: TestDatabase, home?: string, clock?: Clock): Promise<World> {
    const app = await startApp({
      modules: [AuthModule, ProbeModule],
      env: { SCS_SERVICES: 'auth', ...database.env },
      ...(home === undefined ? {} : { home }),
      ...(clock === undefined ? {} : { clock }),
    });
    return new World(app, (await readFile(join(app.home, 'admin.token'), 'utf8')).trim());
  }

  /** A new ordinary account with {@link PASSWORD}. */
  async user(options: object = {}): Promise<string> {
    const username = this.newName('user');
    const json = { username, password: PASSWORD, ...options };
    const answer = await this.app.request('/v1/auth/users', { token: this.admin, json });
    if (answer.status !== 200) throw new Error(`No user: ${JSON.stringify(answer.body)}`);
    return username;
  }

  /** A name that nobody has yet; later ones come later in lists. */
  newName(kind = 'new'): string {
    this.#names += 1;
    return `${kind}${String(this.#names).padStart(4, '0')}`;
  }

  basic(username: string, password = PASSWORD): Record<string, string> {
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
  }

  /** A token that the user made with the password. */
  async token(username: string, json: object = {}): Promise<{ id: string; token: string }> {
    const answer = await this.createToken(username, json);
    if (answer.status !== 200) throw new Error(`No token: ${JSON.stringify(answer.body)}`);
    return answer.body.data;
  }

  createToken(username: string, json: object = {}, password = PASSWORD): Promise<AppAnswer> {
    return this.app.request('/v1/auth/tokens', {
      headers: this.basic(username, password),
      json: { name: 'test', scopes: ['library:read', 'library:write', 'build'], ...json },
    });
  }

  /** Any request: as the administrator, with a token, or as `{ user }` by password. */
  send(
    method: string,
    path: string,
    {
      as = 'admin',
      json,
    }: { readonly as?: 'admin' | { token: string } | { user: string }; readonly json?: unknown } = {},
  ): Promise<AppAnswer> {
    return this.app.request(`/v1/auth${path}`, {
      method,
      ...(as === 'admin' ? { token: this.admin } : {}),
      ...(typeof as === 'object' && 'token' in as ? { token: as.token } : {}),
      ...(typeof as === 'object' && 'user' in as ? { headers: this.basic(as.user) } : {}),
      ...(json === undefined ? {} : { json }),
    });
  }

  /** A new organisation with these members. */
  async organisation(owner: string, members: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = this.newName('org');
    await this.expect(this.send('POST', '/organisations', { json: { name, owner } }));
    for (const [user, role] of Object.entries(members))
      await this.expect(this.send('PUT', `/organisations/${name}/members/${user}`, { json: { role } }));
    return name;
  }

  /** A new robot of an organisation, with a token. */
  async robot(
    organisation: string,
    role = 'writer',
  ): Promise<{ username: string; token: string; id: string }> {
    const json = { name: this.newName('ci'), role };
    const { username } = await this.expect(
      this.send('POST', `/organisations/${organisation}/robots`, { json }),
    );
    const token = { name: 'ci', scopes: ['library:write', 'build'], username };
    return this.expect(this.send('POST', '/tokens', { json: token }));
  }

  /** The data of an answer that has to be good. */
  async expect(answer: Promise<AppAnswer>): Promise<AppAnswer['body']> {
    const { status, body } = await answer;
    if (status !== 200) throw new Error(`Expected success: ${JSON.stringify(body)}`);
    return body.data;
  }

  /** What another service is told about whoever holds this token. */
  async actor(token: string): Promise<AppAnswer['body']> {
    return this.expect(this.app.request('/v1/probe', { token }));
  }

  async statusOf(token: string): Promise<number> {
    return (await this.app.request('/v1/token-status', { token })).status;
  }
}
