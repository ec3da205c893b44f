import type { Clock } from '#libs/core';
import { AUTH_LIMITS } from './limits.js';
import type { RevocationsStore } from './revocations.store.js';
import type { TokensStore } from './tokens.store.js';

/**
 * Removes what nothing depends on any more: feed entries after the last token that they could concern, and records of tokens
 * that expired long ago. Killed in the middle, the next sweep goes on.
 * @returns how many documents were removed
 */
export async function sweep(parts: {
  readonly revocations: RevocationsStore;
  readonly tokens: TokensStore;
  readonly clock: Clock;
}): Promise<number> {
  const { revocations, tokens, clock } = parts;
  const now = clock.now().getTime();
  let removed = 0;
  let batch: number;
  do {
    batch = await revocations.sweep(Math.floor(now / 1000), AUTH_LIMITS.sweepBatch);
    const old = await tokens.expiredBefore(
      new Date(now - AUTH_LIMITS.keepExpiredMs).toISOString(),
      AUTH_LIMITS.sweepBatch,
    );
    for (const { id } of old) await tokens.delete(id);
    batch += old.length;
    removed += batch;
  } while (batch > 0);
  return removed;
}
