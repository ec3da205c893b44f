import type { Jwks, RevocationFeed } from '#libs/contract';

/** Finds the public key (PEM) of a key id, as {@link KeyRing} does. */
export interface KeyLookup {
  find(kid: string): Promise<string | undefined>;
}

/** A use of a token, with the token itself: it proves that it was presented. */
export interface NotedUse {
  /** Of the token that a person once got, also when the one that was used was exchanged from it. */
  readonly tokenId: string;
  readonly token: string;
  readonly address: string;
  readonly client: string;
}

/**
 * Where a process learns which keys sign tokens and which tokens ended: the auth service itself when it runs in the same
 * process, otherwise {@link RemoteAuthority}.
 */
export interface TokenAuthority {
  /** The instance's name and its public keys. */
  jwks(): Promise<Jwks>;
  /**
   * What ended after `after`, verified to come from the auth service.
   * @throws DomainError when there is no answer, or none that can be trusted
   */
  revocations(after: number, keys: KeyLookup): Promise<RevocationFeed>;
  /** Keeps the use as the last one of its token. @throws DomainError `unavailable` when there is no answer */
  noteUse(use: NotedUse): Promise<void>;
}
