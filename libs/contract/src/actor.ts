import { z } from 'zod';

/** What a token may allow. `library:*` may carry a place: `library:write:entity/collection/container`. */
export const SCOPE_NAMES = [
  'library:read',
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

/** Who asks, as the verified token says. Services decide from this and their own documents alone. */
export interface Actor {
  /** 24 hex digits. */
  readonly accountId: string;
  /** Also the name of the library entity that the account owns. */
  readonly username: string;
  readonly email: string;
  readonly displayName: string;
  readonly administrator: boolean;
  readonly organisations: Readonly<Record<string, OrganisationRole>>;
  /** Scopes of the token, each `name` or `name:place`. */
  readonly scopes: readonly string[];
  /** `jti` of the token that was presented. */
  readonly tokenId: string;
  /** `jti` of the token that a person once got; differs from tokenId for an exchanged token. Revoking it ends both. */
  readonly originTokenId: string;
  readonly expiresAt: Date;
  /** The service that exchanged the token, for an exchanged one. */
  readonly via: string | undefined;
  /** What an exchanged token is limited to. */
  readonly subject: { readonly job: string; readonly container: string } | undefined;
  /** The request that presented the token; absent where there is none. */
  readonly from?: RequestOrigin;
  /** The token itself, for passing it on or exchanging it. Never logged. */
  readonly token: string;
}
