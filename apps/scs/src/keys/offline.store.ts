import { Trail } from '#libs/audit';
import type { Surroundings } from '#libs/cli';
import { loadConfig } from '#libs/config';
import type { KeyCheckPart } from '#libs/contract';
import { systemClock } from '#libs/core';
import { CertificatesStore } from '../../../keystore/src/certificates.store.js';
import { KeyCheck } from '../../../keystore/src/check.store.js';
import { openStopped } from '../stopped.store.js';

/**
 * Checks the database of a keystore that is stopped. What is repaired comes into the audit trail when it is started again.
 * @throws DomainError when the database is in use or cannot be opened, or there is none
 */
export async function checkOffline(
  { env, signal }: Pick<Surroundings, 'env' | 'signal'>,
  repair: boolean,
  take: (part: KeyCheckPart) => void,
): Promise<void> {
  const documents = await openStopped(loadConfig(env.all()), 'keystore', { called: 'the keystore' });
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
