import { callbackify } from 'node:util';
import passport from 'passport';
import { Strategy } from 'passport-jwt';
import { SIGNED_TYPES, TOKEN_LENGTH, TokenClaims } from '#libs/contract';
import type { KeyLookup } from './authority.js';
import { refused } from './refusals.js';

interface Presented {
  readonly token: string;
}

/**
 * Checks one token's signature with passport-jwt: ES256 alone, a key of ours, the type of an access token, the shape of our
 * claims. Expiry, audience and revocation are looked at on every use, by the verifier.
 */
export class SignatureCheck {
  readonly #passport = new passport.Passport();

  constructor(keys: KeyLookup) {
    const provideKey = callbackify((token: string) => keyFor(token, keys));
    this.#passport.use(
      'access-token',
      new Strategy(
        {
          jwtFromRequest: (request) => (request as unknown as Presented).token,
          algorithms: ['ES256'],
          ignoreExpiration: true,
          secretOrKeyProvider: (_request, token: string, done) => provideKey(token, done),
        },
        (payload: unknown, done) => {
          const claims = TokenClaims.safeParse(payload);
          if (claims.success) done(null, claims.data);
          else done(null, false, refused('token_invalid', claims.error));
        },
      ),
    );
  }

  /**
   * The claims of a token that one of our keys signed.
   * @throws DomainError `unauthorized`; `unavailable` when there are no keys to check with
   */
  claimsOf(token: string): Promise<TokenClaims> {
    return new Promise((resolve, reject) => {
      const finish = (error: unknown, claims?: unknown, info?: unknown): void => {
        if (error !== null && error !== undefined) reject(asFailure(error));
        else if (claims === false || claims === undefined) reject(asFailure(info));
        else resolve(claims as TokenClaims);
      };
      const request: Presented = { token };
      this.#passport.authenticate('access-token', { session: false }, finish)(request, undefined, reject);
    });
  }
}

/** passport-jwt hands over what the library below it threw; whoever presented the token need not know which part was wrong. */
function asFailure(error: unknown): Error {
  return error instanceof Error && error.name === 'DomainError' ? error : refused('token_invalid', error);
}

async function keyFor(token: string, keys: KeyLookup): Promise<string> {
  const header = headerOf(token);
  // `alg` decides nothing: it has to be ours already, before a key is even looked for.
  if (header.alg !== 'ES256' || header.typ !== SIGNED_TYPES.accessToken) throw refused('token_invalid');
  if (typeof header.kid !== 'string' || header.kid.length > 100) throw refused('token_invalid');
  const key = await keys.find(header.kid);
  if (key === undefined) throw refused('token_invalid');
  return key;
}

function headerOf(token: string): Record<string, unknown> {
  if (token.length > TOKEN_LENGTH.maximum) throw refused('token_invalid');
  const [first, ...rest] = token.split('.', 4);
  if (first === undefined || rest.length !== 2) throw refused('token_invalid');
  try {
    const header: unknown = JSON.parse(Buffer.from(first, 'base64url').toString('utf8'));
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch (error) {
    throw refused('token_invalid', error);
  }
  throw refused('token_invalid');
}
