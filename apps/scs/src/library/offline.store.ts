import { Trail } from '#libs/audit';
import type { Surroundings } from '#libs/cli';
import { loadConfig } from '#libs/config';
import type { LibraryCheckPart } from '#libs/contract';
import { systemClock } from '#libs/core';
import { LibraryCheck } from '../../../library/src/check/check.store.js';
import { Tables } from '../../../library/src/check/tables.store.js';
import { LIMITS } from '../../../library/src/limits.js';
import { BlobHealth } from '../../../library/src/storage/blobHealth.store.js';
import { openStopped } from '../stopped.store.js';

/**
 * Checks database and blobs of a library that is stopped. What is repaired comes into the audit trail when it is started again.
 * @throws DomainError when the database is in use or cannot be opened, or there is none
 */
export async function checkOffline(
  { env, signal }: Pick<Surroundings, 'env' | 'signal'>,
  { repair, rehash }: { readonly repair: boolean; readonly rehash: boolean },
  take: (part: LibraryCheckPart) => void,
): Promise<void> {
  const config = loadConfig(env.all());
  const database = await openStopped(config, 'library', { called: 'the library' });
  try {
    const { openBlobs } = await import('#libs/blobs');
    const blobs = await openBlobs(config.blobsUrl, config.s3);
    const clock = systemClock;
    const trail = new Trail({ documents: database, service: 'library', clock });
    const health = new BlobHealth({ database, blobs, trail, clock });
    const tables = new Tables(database);
    const check = new LibraryCheck({ database, tables, blobs, health, trail, clock, limits: LIMITS });
    signal.addEventListener('abort', () => check.stop(), { once: true });
    let from: string | undefined;
    do {
      signal.throwIfAborted();
      const { next, ...part } = await check.part(from, { repair, rehash, actor: null });
      take(part);
      from = next;
    } while (from !== undefined);
  } finally {
    await database.close();
  }
}
