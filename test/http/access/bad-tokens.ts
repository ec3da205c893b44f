import { decodeJwt, exportSPKI, importJWK, SignJWT } from 'jose';
import { Issuer } from '#apps/auth/src/issuer';
import { type AudienceName, SIGNED_TYPES, TokenClaims } from '#libs/contract';
import { newObjectId } from '#libs/core';
import type { Fault } from '../../support/access/callers.js';
import type { StartedApp } from '../../support/app.js';
import { TestAuthority } from '../../support/tokens.js';

/** Makes of a good token one that is good for nothing, or for one service. */
export class BadTokens {
  private constructor(
    private readonly app: StartedApp,
    private readonly otherInstance: TestAuthority,
  ) {}

  static async of(app: StartedApp): Promise<BadTokens> {
    return new BadTokens(app, await TestAuthority.make());
  }

  /** The claims of the good token, with this one fault. @param revoke ends the good token itself */
  async make(fault: Fault, good: string, revoke: () => Promise<unknown>): Promise<string> {
    const claims = claimsOf(good);
    const [key] = this.#issuer.jwks().keys;
    if (key === undefined) throw new Error('There is no signing key');
    const header = { typ: SIGNED_TYPES.accessToken, kid: key.kid };
    switch (fault) {
      case 'expired': {
        const now = Math.floor(Date.now() / 1000);
        return this.#issuer.accessToken({ ...claims, iat: now - 600, exp: now - 1 });
      }
      case 'revoked':
        await revoke();
        return good;
      case 'other issuer':
        return this.otherInstance.sign({ ...claims, iss: this.otherInstance.issuer });
      case 'alg none':
        return `${part({ alg: 'none', ...header })}.${part(claims)}.`;
      case 'HMAC with the public key': {
        const pem = await exportSPKI((await importJWK(key, 'ES256')) as Parameters<typeof exportSPKI>[0]);
        return new SignJWT({ ...claims })
          .setProtectedHeader({ alg: 'HS256', ...header })
          .sign(Buffer.from(pem));
      }
    }
  }

  /**
   * What a service gets for somebody's token, as the auth service makes it.
   * @param job the build that it is for, one that named no place for its image
   */
  exchanged(
    good: string,
    { audience, scopes, job }: { audience: AudienceName; scopes: readonly string[]; job: string },
  ): Promise<string> {
    const claims = claimsOf(good);
    const container = `${claims.username}/remote-builds/rb-${job}`;
    return this.#issuer.accessToken({
      ...claims,
      administrator: false,
      aud: audience,
      jti: newObjectId(),
      scope: scopes.join(' '),
      origin: claims.jti,
      act: { sub: 'builder' },
      subject: { job, container },
    });
  }

  get #issuer(): Issuer {
    return this.app.get(Issuer);
  }
}

function claimsOf(token: string): TokenClaims {
  return TokenClaims.parse(decodeJwt(token));
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
