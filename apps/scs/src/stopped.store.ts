import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ScsConfig } from '#libs/config';
import type { AudienceName } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { Documents } from '#libs/documents';

/**
 * The database of a service of an instance that is stopped.
 * @param words for where there is none: what it is called, and what helps
 * @throws DomainError `not_found` when there is none: opening makes what is not there, and nobody shall be shown an empty one;
 *   `conflict` while the instance runs; whatever {@link openDocuments} throws
 */
export async function openStopped(
  config: ScsConfig,
  service: AudienceName,
  {
    called = service,
    remedy = 'Name the state folder in SCS_HOME',
  }: { called?: string; remedy?: string } = {},
): Promise<Documents> {
  const url = config.databaseUrl(service);
  if (url.startsWith('sqlite:')) {
    const file = join(url.slice('sqlite:'.length), `${service}.sqlite`);
    if (!existsSync(file))
      throw new DomainError('not_found', `There is no database of ${called}: ${file}`, {
        reason: 'no_database',
        remedy,
      });
  }
  const { openDocuments } = await import('#libs/documents');
  return openDocuments(url, { service }).catch((error: unknown) => {
    if (!(error instanceof DomainError && error.reason === 'database_in_use')) throw error;
    throw new DomainError('conflict', error.message, {
      reason: error.reason,
      remedy: 'Leave --offline out while the instance runs',
      cause: error,
    });
  });
}
