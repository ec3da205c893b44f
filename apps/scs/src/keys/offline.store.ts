import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Trail } from '#libs/audit';
import type { Surroundings } from '#libs/cli';
import { loadConfig } from '#libs/config';
import type { KeyCheckPart } from '#libs/contract';
import { DomainError, systemClock } from '#libs/core';
import { CertificatesStore } from '../../../keystore/src/certificates.store.js';
import { KeyCheck } from '../../../keystore/src/check.store.js';

/**
 * Checks the database of a keystore that is stopped. What is repaired comes into the audit trail when it is started again.
 * @throws DomainError when the database is in use or cannot be opened, or there is none
 */
export async function checkOffline(
  { env, signal }: Pick<Surroundings, 'env' | 'signal'>,
  repair: boolean,
  take: (part: KeyCheckPart) => void,
): Promise<void> {
  const url = loadConfig(env.all()).databaseUrl('keystore');
  requireFile(url);
  const { openDocuments } = await import('#libs/documents');
  const documents = await openDocuments(url, { service: 'keystore' }).catch(explained);
  try {
    const trail = new Trail({ documents, service: 'keystore', clock: systemClock });
    const check = new KeyCheck(documents, new CertificatesStore(documents, trail, systemClock));
    let from: string | undefined;
    do {
      signal.throwIfAborted();
      const part = await check.part(from, repair);
      take(part);
      from = part.next;
    } while (from !== undefined);
  } finally {
    await documents.close();
  }
}

/** Opening makes what is not there: whoever looks for keys shall not be shown an empty database. */
function requireFile(url: string): void {
  if (!url.startsWith('sqlite:')) return;
  const file = join(url.slice('sqlite:'.length), 'keystore.sqlite');
  if (existsSync(file)) return;
  throw new DomainError('not_found', `There is no database of the keystore: ${file}`, {
    reason: 'no_database',
    remedy: 'Name the state folder in SCS_HOME',
  });
}

function explained(error: unknown): never {
  if (error instanceof DomainError && error.reason === 'database_in_use')
    throw new DomainError('conflict', error.message, {
      reason: error.reason,
      remedy: 'Leave --offline out while the instance runs',
      cause: error,
    });
  throw error;
}
