import { randomBytes } from 'node:crypto';
import { startMongo } from './ferretdb.js';

/** A database for `startApp`: the settings that choose it, and how it ends. */
export interface TestDatabase {
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** SQLite in the app's own state folder: the default of an instance. */
export async function sqliteDatabase(): Promise<TestDatabase> {
  return { env: {}, stop: async () => undefined };
}

/** A MongoDB of its own (or its stand-in), with databases whose names nobody else uses. */
export async function mongoDatabase(): Promise<TestDatabase> {
  const server = await startMongo();
  const database = `t${randomBytes(4).toString('hex')}`;
  return { env: { SCS_DATABASE_URL: server.url({ database }) }, stop: () => server.stop() };
}
