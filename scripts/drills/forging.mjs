import { createHmac, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { SIGNED_TYPES } from '#libs/contract';

/** A signed thing of any type by any key (a private JWK or PEM). */
export function forge(key, claims, { kid = key.kid, typ = SIGNED_TYPES.accessToken, ...header } = {}) {
  const secret = createPrivateKey(typeof key === 'string' ? key : { key, format: 'jwk' });
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', typ, ...(kid === undefined ? {} : { kid }), ...header })
    .sign(secret);
}

/** The claims of a token, and of one like it. */
export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
}

/** The same address with other parameters; undefined takes one away. */
export function altered(address, changes, path = (text) => text) {
  const url = new URL(address);
  url.pathname = path(url.pathname);
  for (const [name, value] of Object.entries(changes))
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  return url;
}

/** Whoever has the key of a service signs its addresses as the service does. */
export const signers = (world) => {
  const secret = (service, file) => readFileSync(join(world.of(service).home, 'data', service, file));
  const library = secret('library', 'upload-url.key');
  const sealing = secret('builder', 'seal.key');
  const contexts = createHmac('sha256', sealing).update('build-context-upload').digest();
  return {
    keys: { library, contexts, sealing },
    upload: (upload, part, expires, key = library) =>
      createHmac('sha256', key).update(`scs-upload-url\n${upload}\n${part}\n${expires}`).digest('base64url'),
    context: ({ digest, holder, size, expires }, key = contexts) =>
      createHmac('sha256', key).update(`${digest}\n${holder}\n${size}\n${expires}`).digest('base64url'),
  };
};
