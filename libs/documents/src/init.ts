import type { DatabaseStep, InitOptions } from './database-accounts.js';

/**
 * Gives each service a user of its own on a MongoDB, with rights on its own database alone, and proves it by signing in as
 * each: it can write there, and see nothing elsewhere. Safe to repeat.
 * @throws DomainError with one sentence, that never holds a password
 */
export async function initDatabases(options: InitOptions): Promise<readonly DatabaseStep[]> {
  if (options.admin === undefined && !options.dryRun) throw new TypeError('Expected an administrator');
  const { initMongo } = await import('./mongodb/init.js');
  return initMongo(options);
}
