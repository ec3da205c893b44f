import { compactVerify, importSPKI } from 'jose';
import { AUTH_PATHS, Jwks, RevocationFeed, SIGNED_TYPES, SignedRevocations } from '#libs/contract';
import { messageOf } from '#libs/core';
import type { InternalClient } from '../internal-client.js';
import type { KeyLookup, NotedUse, TokenAuthority } from './authority.js';
import { ACCESS_LIMITS } from './limits.js';

/** The auth service in another process or on another machine: asked over HTTPS, without a token, for what anybody may read. */
export class RemoteAuthority implements TokenAuthority {
  readonly #client: Pick<InternalClient, 'call'>;

  constructor(client: Pick<InternalClient, 'call'>) {
    this.#client = client;
  }

  async jwks(): Promise<Jwks> {
    return Jwks.parse(await this.#get(AUTH_PATHS.jwks));
  }

  async revocations(after: number, keys: KeyLookup): Promise<RevocationFeed> {
    const answer = SignedRevocations.parse(await this.#get(`${AUTH_PATHS.revocations}?after=${after}`));
    return verifyFeed(answer.data.signed, keys);
  }

  async noteUse({ token, address, client }: NotedUse): Promise<void> {
    const timeout = ACCESS_LIMITS.authorityTimeoutMs;
    const json = { address, client };
    await this.#client.call({ service: 'auth', method: 'POST', path: AUTH_PATHS.uses, token, json, timeout });
  }

  async #get(path: string): Promise<unknown> {
    const timeout = ACCESS_LIMITS.authorityTimeoutMs;
    return (await this.#client.call({ service: 'auth', path, token: undefined, timeout })).body;
  }
}

/**
 * Checks the signature, the type and the shape of a signed revocation feed.
 * @throws Error when it was not signed by one of `keys` as a feed
 */
export async function verifyFeed(signed: string, keys: KeyLookup): Promise<RevocationFeed> {
  const { payload } = await compactVerify(
    signed,
    async (header) => {
      if (header.typ !== SIGNED_TYPES.revocations) throw new Error('Expected a revocation feed');
      const pem = header.kid === undefined ? undefined : await keys.find(header.kid);
      if (pem === undefined) throw new Error('The revocation feed is signed by an unknown key');
      return importSPKI(pem, 'ES256');
    },
    { algorithms: ['ES256'] },
  );
  try {
    return RevocationFeed.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  } catch (error) {
    // A kind of entry that this version does not know may be one that ends a token: not understood is not fresh.
    throw new Error(`The revocation feed is not understood: ${messageOf(error)}`, { cause: error });
  }
}
