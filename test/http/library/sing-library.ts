import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LibraryModule } from '#apps/library/src/library.module';
import { sing } from '#apps/sing/src/program';
import { WebModule } from '#apps/web/src/web.module';
import { run, type RunOptions, type RunResult } from '#libs/cli';
import type { ServiceModule } from '#libs/server';
import { announce } from '../../support/announce.js';
import { type StartedApp, startApp } from '../../support/app.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { StockClient } from './world.js';

interface Options {
  readonly limits?: Parameters<typeof LibraryModule.with>[0];
  /** More services by their names, beside library and web. */
  readonly modules?: Readonly<Record<string, ServiceModule>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly administrator?: boolean;
}

/** A real library, and `sing library …` of somebody who is logged in to it as `tester`. */
export interface SingLibrary {
  readonly app: StartedApp;
  readonly client: StockClient;
  readonly token: string;
  /** What `sing` runs with. */
  readonly surroundings: { readonly cwd: string; readonly env: Readonly<Record<string, string>> };
  /** A file in the working directory. */
  path(name: string): string;
  /** `sing library` with these words, whatever becomes of it. */
  library(words: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** @throws where it fails */
  ok(...words: string[]): Promise<RunResult>;
  json<T>(...words: string[]): Promise<T>;
  /** Takes the token away. */
  logOut(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSingLibrary(options: Options = {}): Promise<SingLibrary> {
  const { limits, modules = {}, administrator = false } = options;
  const folder = await temporaryFolder();
  const path = (name: string): string => join(folder.path, name);
  await mkdir(path('home'), { mode: 0o700 });
  const authority = await TestAuthority.make();
  const missing = ['auth', 'keystore', 'builder'].filter((name) => !(name in modules));
  const app = await startApp({
    modules: [
      limits === undefined ? LibraryModule : LibraryModule.with(limits),
      WebModule,
      authority.module(),
      ...Object.values(modules),
    ],
    home: path('home'),
    env: {
      SCS_SERVICES: ['library', 'web', ...Object.keys(modules)].join(','),
      ...Object.fromEntries(missing.map((name) => [`SCS_${name.toUpperCase()}_URL`, 'https://localhost:1'])),
      ...options.env,
    },
  });
  const token = await authority.token({ username: 'tester', administrator });
  await announce(path('home'), app, token);
  const surroundings = { cwd: folder.path, env: { HOME: folder.path, SCS_HOME: path('home') } };
  const library = (words: readonly string[], more: RunOptions = {}): Promise<RunResult> =>
    run(sing, ['library', ...words], {
      ...surroundings,
      ...more,
      env: { ...surroundings.env, ...more.env },
    });
  const ok = async (...words: string[]): Promise<RunResult> => {
    const result = await library(words);
    if (result.status !== 0) throw new Error(`sing library ${words.join(' ')}: ${result.stderr}`);
    return result;
  };
  // The token lies there because this has put it there.
  const logOut = (): Promise<void> => rm(path('home/test.token'), { force: true });
  return {
    app,
    client: new StockClient(app, token),
    token,
    surroundings,
    path,
    library,
    ok,
    json: async <T>(...words: string[]): Promise<T> => JSON.parse((await ok(...words, '--json')).stdout) as T,
    logOut,
    stop: async () => {
      await logOut();
      await app.stop();
      await folder.remove();
    },
  };
}
