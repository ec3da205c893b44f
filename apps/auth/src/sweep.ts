import type { Clock } from '#libs/core';
import { AUTH_LIMITS } from './limits.js';
import type { RevocationsStore } from './revocations.store.js';
import type { SessionsService } from './sessions.service.js';
import type { TokensStore } from './tokens.store.js';

/**
 * Removes what nothing depends on any more: feed entries after the last token that they could concern, records of tokens
 * that expired long ago, and sessions that are over. Killed in the middle, the next sweep goes on.
 * @returns how many documents were removed
 */
export async function sweep(parts: {
  readonly revocations: RevocationsStore;
  readonly tokens: TokensStore;
  readonly sessions: SessionsService;
  readonly clock: Clock;
}): Promise<number> {
  const { revocations, tokens, sessions, clock } = parts;
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
    batch += old.length + (await sessions.sweep());
    removed += batch;
  } while (batch > 0);
  return removed;
}
