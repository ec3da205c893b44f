import { z } from 'zod';

/** What a token may allow. `library:*` may carry a place: `library:write:entity/collection/container`. */
export const SCOPE_NAMES = [
  'library:read',
  'library:create',
  'library:write',
  'library:delete',
  'keystore:write',
  'build',
  'admin',
] as const;
export const ScopeName = z.enum(SCOPE_NAMES);
export type ScopeName = z.infer<typeof ScopeName>;

export const OrganisationRole = z.enum(['owner', 'writer', 'reader']);
export type OrganisationRole = z.infer<typeof OrganisationRole>;

/** Where a request came from. For the audit trail: nothing is decided by it. */
export interface RequestOrigin {
  /** IP address. */
  readonly address: string;
  /** `User-Agent`, at most 200 visible characters; undefined when there was none. */
  readonly client: string | undefined;
}

/** People sign in and own what has their name; robots belong to an organisation and own nothing. */
export const AccountKind = z.enum(['user', 'robot']);
export type AccountKind = z.infer<typeof AccountKind>;

/** Who asks, as the verified token and the feed say. Services decide from this and their own documents alone. */
export interface Actor {
  /** 24 hex digits. */
  readonly accountId: string;
  readonly kind: AccountKind;
  /** Of a user also the name of the library entity that the account owns. */
  readonly username: string;
  readonly email: string;
  readonly displayName: string;
  readonly administrator: boolean;
  /** Present roles by the name of the organisation: from the feed, never from the token. Disabled organisations are not in it. */
  readonly organisations: Readonly<Record<string, OrganisationRole>>;
  /** Scopes of the token, each `name` or `name:place`. */
  readonly scopes: readonly string[];
  /** `jti` of the token that was presented. */
  readonly tokenId: string;
  /** `jti` of the token that a person once got; differs from tokenId for an exchanged token. Revoking it ends both. */
  readonly originTokenId: string;
  /** The key that signed the token; undefined for who proved an account by its password. */
  readonly keyId?: string | undefined;
  readonly expiresAt: Date;
  /** The token has expired, and is taken for nothing but what was begun with it before (ADR 10). Absent = it is good. */
  readonly expired?: true;
  /** The service that exchanged the token, for an exchanged one. */
  readonly via: string | undefined;
  /** What an exchanged token is limited to. */
  readonly subject: { readonly job: string; readonly container: string } | undefined;
  /** The request that presented the token; absent where there is none. */
  readonly from?: RequestOrigin;
  /** The token itself, for passing it on or exchanging it. Never logged. */
  readonly token: string;
}

type Member = Pick<Actor, 'kind' | 'username' | 'organisations'>;

/**
 * What an account is to the entity `name`: people own the one of their own name, members have their role in that of their
 * organisation; undefined = nothing. Rights of administrators are not in it.
 */
export function entityRole(actor: Member, name: string): OrganisationRole | undefined {
  if (actor.kind === 'user' && actor.username === name) return 'owner';
  return Object.hasOwn(actor.organisations, name) ? actor.organisations[name] : undefined;
}

/** The names of all entities to which the account has a role, its own first. */
export function entityNames(actor: Member): string[] {
  const own = actor.kind === 'user' ? [actor.username] : [];
  return [...new Set([...own, ...Object.keys(actor.organisations)])];
}
