import type { AuditAction, ScopeName, AudienceName } from '#libs/contract';
import { auditedAction } from '../audit/changes.js';
import {
  ACCESS_METADATA,
  AUDIENCE_METADATA,
  EXPIRY_METADATA,
  type ExpiryRule,
  PASSWORD_METADATA,
  SCOPES_METADATA,
} from './decorators.js';

/** What a route asks of its caller, as its decorators say. */
export interface Access {
  readonly kind: 'token' | 'anonymous' | 'self-authenticated';
  readonly scopes: readonly ScopeName[];
  readonly audience: AudienceName | undefined;
  readonly acceptsPassword: boolean;
  /** What it takes an expired token for; undefined = nothing. */
  readonly afterExpiry: ExpiryRule<unknown> | undefined;
  /** What it changes, in the words of the audit trail. */
  readonly action: AuditAction | undefined;
}

/**
 * Reads the decorators of a handler and its controller; the handler's win.
 * @param handler the controller's method
 * @param controller the controller's class
 */
export function readAccess(handler: object, controller: object): Access {
  const read = (key: string): unknown =>
    Reflect.getMetadata(key, handler) ?? Reflect.getMetadata(key, controller);
  return {
    kind: (read(ACCESS_METADATA) ?? 'token') as Access['kind'],
    scopes: (read(SCOPES_METADATA) ?? []) as readonly ScopeName[],
    audience: read(AUDIENCE_METADATA) as AudienceName | undefined,
    acceptsPassword: read(PASSWORD_METADATA) === true,
    afterExpiry: read(EXPIRY_METADATA) as ExpiryRule<unknown> | undefined,
    action: auditedAction(handler),
  };
}

const known = new WeakMap<object, WeakMap<object, Access>>();

/** The same, remembered: decorators do not change, and reading them takes as long as a small answer. */
export function accessOf(handler: object, controller: object): Access {
  let byHandler = known.get(controller);
  if (byHandler === undefined) known.set(controller, (byHandler = new WeakMap()));
  let access = byHandler.get(handler);
  if (access === undefined) byHandler.set(handler, (access = readAccess(handler, controller)));
  return access;
}
