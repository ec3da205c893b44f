import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import { AuthModule } from '#apps/auth/src/auth.module';
import type { Actor } from '#libs/contract';
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
  #users = 0;

  private constructor(app: StartedApp, admin: string) {
    this.app = app;
    this.admin = admin;
  }

  static async start(database: TestDatabase, home?: string): Promise<World> {
    const app = await startApp({
      modules: [AuthModule, ProbeModule],
      env: { SCS_SERVICES: 'auth', ...database.env },
      ...(home === undefined ? {} : { home }),
    });
    return new World(app, (await readFile(join(app.home, 'admin.token'), 'utf8')).trim());
  }

  /** A new ordinary account with {@link PASSWORD}. */
  async user(options: object = {}): Promise<string> {
    this.#users += 1;
    const username = `user${this.#users}`;
    const json = { username, password: PASSWORD, ...options };
    const answer = await this.app.request('/v1/auth/users', { token: this.admin, json });
    if (answer.status !== 200) throw new Error(`No user: ${JSON.stringify(answer.body)}`);
    return username;
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

  async statusOf(token: string): Promise<number> {
    return (await this.app.request('/v1/token-status', { token })).status;
  }
}
