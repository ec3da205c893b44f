import { DomainError } from '#libs/core';
import type { NamesStore } from './names.store.js';

/** Names that cannot be taken because the library keeps these entities for everybody. */
const RESERVED = new Set(['library', 'default', 'remote-builds']);

/** @throws DomainError `conflict` when the name is taken, `unprocessable` when it is kept for others */
export async function requireFreeName(names: NamesStore, name: string): Promise<void> {
  if (RESERVED.has(name))
    throw new DomainError('unprocessable', `The name ${name} is reserved`, { reason: 'name_reserved' });
  if ((await names.find(name)) !== undefined)
    throw new DomainError('conflict', `The name ${name} is taken: names are never given twice`, {
      reason: 'name_taken',
    });
}
