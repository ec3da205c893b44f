import type { SignatureFacts } from '../packets/signature.js';
import type { Component } from './components.js';

/** Revocation reasons that say the key may still have signed honestly before: superseded, retired, user id no longer valid. */
const SOFT_REASONS: ReadonlySet<number> = new Set([1, 3, 32]);
const COMPROMISED = 2;

/** Whether a revocation says that nothing of the key can be relied on, ever: no reason, compromised, or a reason nobody knows. */
export const isHard = (revocation: SignatureFacts): boolean =>
  !SOFT_REASONS.has(revocation.revocationReason ?? 0);

/** A later certification makes a user id valid again, unless it is said that the key was compromised (keystore contract §3.2). */
export const isUserIdRevoked = (userId: Component): boolean =>
  isRevoked(userId, ({ revocationReason }) => revocationReason === COMPROMISED);

/** A later binding makes a subkey valid again, but never one that was revoked hard. */
export const isSubkeyRevoked = (subkey: Component): boolean => isRevoked(subkey, isHard);

function isRevoked({ bindings, revocations }: Component, isFinal: (one: SignatureFacts) => boolean): boolean {
  const latest = bindings[0]?.created ?? 0;
  return revocations.some((one) => one.created >= latest || isFinal(one));
}
