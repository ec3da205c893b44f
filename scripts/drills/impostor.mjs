import { createSecretKey, randomBytes } from 'node:crypto';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import { EXCHANGE_WORDS, SERVICE_NAMES, SIGNED_TYPES } from '#libs/contract';
import { proofAudience, publicPart } from '#libs/server';
import { claimsOf, forge } from './forging.mjs';

const now = () => Math.floor(Date.now() / 1000);

/**
 * Tokens that somebody makes who has these secrets, knows every id and every public key, and has no token: as the administrator, at every
 * service; each with what it is.
 */
export async function forgedTokens({ keys, raw }, { issuer, admin, trueKey }) {
  const claims = { ...claimsOf(admin), iat: now(), exp: now() + 3600 };
  const bound = {
    ...claims,
    aud: 'library',
    act: { sub: 'builder' },
    origin: claims.jti,
    subject: { job: claims.jti, container: 'admin/a/b' },
  };
  const tokens = [];
  for (const { file, key } of keys) {
    const kid = await calculateJwkThumbprint(key);
    const jwk = { kty: key.kty, crv: key.crv, x: key.x, y: key.y };
    const tries = {
      'its own id': [claims, { kid }],
      'the id of the true key': [claims, { kid: trueKey.kid }],
      'the key brought along': [claims, { kid: trueKey.kid, jwk, jku: 'https://localhost:1/jwks.json' }],
      'no id': [claims, { kid: undefined }],
      'an audience': [bound, { kid: trueKey.kid }],
      'the type of a proof': [claims, { kid, typ: SIGNED_TYPES.clientAssertion }],
    };
    for (const [how, [payload, header]] of Object.entries(tries))
      tokens.push([
        `a token by ${nameOf(file)} with ${how}`,
        await forge(key, { ...payload, iss: issuer }, header),
      ]);
  }
  for (const { file, bytes } of [
    ...raw,
    { file: 'the true public key', bytes: Buffer.from(publicPart(trueKey).x) },
  ]) {
    const token = new SignJWT(claims).setProtectedHeader({
      alg: 'HS256',
      typ: SIGNED_TYPES.accessToken,
      kid: trueKey.kid,
    });
    tokens.push([`a token with ${nameOf(file)} as its secret`, await token.sign(createSecretKey(bytes))]);
  }
  return tokens;
}

/** Proofs that a service is another one, by these keys: one for each key, service and id; each with what it is. Made for whom they are shown to. */
export async function forgedProofs({ keys }, service, { issuer, publicKeys }) {
  const proofs = [];
  for (const { file, key } of keys) {
    const kid = await calculateJwkThumbprint(key);
    for (const name of SERVICE_NAMES) {
      // What it is, it may say.
      const own = name === service && publicKeys[service]?.kid === kid;
      for (const id of own ? [] : [kid, publicKeys[name]?.kid].filter((one) => one !== undefined))
        proofs.push([
          `${name} proved by ${nameOf(file)}`,
          (to) => proof(key, name, proofAudience(issuer, to), id),
        ]);
    }
  }
  return proofs;
}

/** A proof as {@link ServiceKey} makes it, by any key. */
function proof(key, service, audience, kid) {
  const times = { iat: now(), exp: now() + 60 };
  const claims = {
    iss: service,
    sub: service,
    aud: audience,
    jti: randomBytes(16).toString('hex'),
    ...times,
  };
  return forge(key, claims, { typ: SIGNED_TYPES.clientAssertion, kid });
}

/** The form of an exchange; what is undefined in `changes` is left out. */
export function exchangeForm(changes) {
  const form = {
    grant_type: EXCHANGE_WORDS.grantType,
    subject_token_type: EXCHANGE_WORDS.accessToken,
    client_assertion_type: EXCHANGE_WORDS.clientAssertion,
    audience: 'library',
    scope: 'library:write',
    job: 'drill',
    container: 'admin/a/b',
    lifetime: '600',
    ...changes,
  };
  return Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined));
}

export const nameOf = (file) => file.split('/').slice(-2).join('/');
