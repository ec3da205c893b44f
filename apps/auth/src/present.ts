import type { TokenRecord, UserRecord } from '#libs/contract';

interface AccountLike {
  readonly id: string;
  readonly value: {
    readonly username: string;
    readonly email: string;
    readonly displayName: string;
    readonly administrator: boolean;
    readonly disabled: boolean;
    readonly createdAt: string;
  };
}

/** What is told about an account: field by field, so that nothing is told by accident. */
export function presentUser({ id, value }: AccountLike): UserRecord {
  return {
    id,
    username: value.username,
    email: value.email,
    displayName: value.displayName,
    administrator: value.administrator,
    disabled: value.disabled,
    createdAt: value.createdAt,
  };
}

interface TokenLike {
  readonly id: string;
  readonly value: {
    readonly name: string;
    readonly username: string;
    readonly scopes: readonly string[];
    readonly createdAt: string;
    readonly expiresAt: string;
    readonly revokedAt?: string | undefined;
  };
}

/** What is told about a token. */
export function presentToken({ id, value }: TokenLike): TokenRecord {
  return {
    id,
    name: value.name,
    username: value.username,
    scopes: [...value.scopes],
    createdAt: value.createdAt,
    expiresAt: value.expiresAt,
    revokedAt: value.revokedAt ?? null,
  };
}
