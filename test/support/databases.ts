import { randomBytes } from 'node:crypto';
import { startMongo } from './ferretdb.js';

/** A database for `startApp`: the settings that choose it, and how it ends. */
export interface TestDatabase {
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** One that a test has started. */
export interface StartedDatabase extends TestDatabase {
  /** Another one of the same server, with nothing in it: it ends with this one, and not before. */
  another(): TestDatabase;
}

/** SQLite in the app's own state folder: the default of an instance. */
export async function sqliteDatabase(): Promise<StartedDatabase> {
  return { env: {}, stop: nothing, another: () => ({ env: {}, stop: nothing }) };
}

/** A MongoDB of its own (or its stand-in), with databases whose names nobody else uses. */
export async function mongoDatabase(): Promise<StartedDatabase> {
  const server = await startMongo();
  const named = () => ({
    SCS_DATABASE_URL: server.url({ database: `t${randomBytes(4).toString('hex')}` }),
  });
  return {
    env: named(),
    stop: () => server.stop(),
    another: () => ({ env: named(), stop: nothing }),
  };
}

/** Both, for `describe.each`. */
export const DATABASES = [
  { name: 'SQLite', open: sqliteDatabase },
  { name: 'MongoDB', open: mongoDatabase },
] as const;

async function nothing(): Promise<void> {
  // There is nothing to stop.
}
