import { SetMetadata } from '@nestjs/common';
import type { Actor, AuditAction } from '#libs/contract';

const ACTION_METADATA = 'scs:audit-action';

/**
 * What a route changes, in the words of the audit trail. When it is refused to a known caller, that is recorded. What was done is
 * recorded by the service, in the commit that does it.
 */
export const Audited = (action: AuditAction) => SetMetadata(ACTION_METADATA, action);

/** The action of a handler, if it says one. */
export function auditedAction(handler: object): AuditAction | undefined {
  return Reflect.getMetadata(ACTION_METADATA, handler) as AuditAction | undefined;
}

/** A request that would change something, and who sent it, as far as that is known by now. */
interface Change {
  readonly action: AuditAction;
  /** Also of a token that is good no more. Never what rights are decided by. */
  readonly caller: Actor | undefined;
}

const changes = new WeakMap<object, Change>();

/** Called by the guard, and by pages that know their callers by a cookie. */
export function noteChange(request: object, change: Change): void {
  changes.set(request, change);
}

export function changeOf(request: object): Change | undefined {
  return changes.get(request);
}
