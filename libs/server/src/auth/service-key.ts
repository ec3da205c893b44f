import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import { z } from 'zod';
import { ServiceKeys, type ServiceName, SIGNED_TYPES, SigningJwk } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { ACCESS_LIMITS } from './limits.js';
import { readSmallFile, removeLeftovers, writeOnce, writeWhole } from './secret-file.js';

const PrivateJwk = SigningJwk.extend({ d: z.string() });

/** Where the auth service looks for the public keys of the others: `$SCS_HOME/service-keys/<service>.json`. */
export function serviceKeysFile(home: string, service: ServiceName): string {
  return join(home, 'service-keys', `${service}.json`);
}

/** A new ES256 key as a private JWK; its key id is its thumbprint (RFC 7638). */
export async function newPrivateJwk(): Promise<z.infer<typeof PrivateJwk>> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return PrivateJwk.parse({ ...jwk, kid, alg: 'ES256', use: 'sig' });
}

/** The part of a key that may be published. */
export function publicPart(jwk: SigningJwk): SigningJwk {
  return SigningJwk.parse(jwk);
}

/** The text of a key file. @throws DomainError `unprocessable` naming the file when it does not hold a key */
export function parsePrivateJwk(text: string, file: string): z.infer<typeof PrivateJwk> {
  try {
    return PrivateJwk.parse(JSON.parse(text));
  } catch (error) {
    throw new DomainError('unprocessable', `Expected a private ES256 key in ${file}`, {
      reason: 'bad_key_file',
      remedy:
        'Restore the file, or remove it for a new key: what the old one signed is not taken any more then.',
      cause: error,
    });
  }
}

/**
 * Whom a proof is for. The auth service is the authorization server, whose name is that of the instance (RFC 7523 §3); others that
 * take proofs have names of their own, so that nobody who was shown a proof can show it to somebody else.
 */
export function proofAudience(issuer: string, service: 'auth' | 'builder'): string {
  return service === 'auth' ? issuer : `${issuer}:${service}`;
}

/**
 * How a service proves which one it is (private_key_jwt, RFC 7523). The proof alone grants nothing: it only lets the service
 * exchange a token that a user gave it.
 */
export class ServiceKey {
  readonly #service: ServiceName;
  readonly #jwk: z.infer<typeof PrivateJwk>;
  readonly #clock: Clock;

  private constructor(service: ServiceName, jwk: z.infer<typeof PrivateJwk>, clock: Clock) {
    this.#service = service;
    this.#jwk = jwk;
    this.#clock = clock;
  }

  /**
   * Opens the service's key, or makes it on the first start (`<dataFolder>/service-key.json`, 0600), and puts the public part
   * where the auth service of this machine finds it. On several machines that file is carried over once.
   */
  static async open(options: {
    readonly service: ServiceName;
    readonly dataFolder: string;
    readonly home: string;
    readonly clock: Clock;
  }): Promise<ServiceKey> {
    const { service, dataFolder, home, clock } = options;
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    await removeLeftovers(dataFolder);
    const file = join(dataFolder, 'service-key.json');
    const text =
      (await readSmallFile(file)) ?? (await writeOnce(file, `${JSON.stringify(await newPrivateJwk())}\n`));
    const jwk = parsePrivateJwk(text, file);
    await publish(serviceKeysFile(home, service), publicPart(jwk));
    return new ServiceKey(service, jwk, clock);
  }

  /**
   * A proof that is good for one minute and for one use.
   * @param audience {@link proofAudience}
   */
  async assertion(audience: string): Promise<string> {
    const now = Math.floor(this.#clock.now().getTime() / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'ES256', typ: SIGNED_TYPES.clientAssertion, kid: this.#jwk.kid })
      .setIssuer(this.#service)
      .setSubject(this.#service)
      .setAudience(audience)
      .setJti(randomBytes(16).toString('hex'))
      .setIssuedAt(now)
      .setExpirationTime(now + ACCESS_LIMITS.assertionSeconds)
      .sign(await importJWK(this.#jwk, 'ES256'));
  }
}

async function publish(file: string, key: SigningJwk): Promise<void> {
  const found = await readSmallFile(file);
  const known = found === undefined ? undefined : ServiceKeys.safeParse(parseOrUndefined(found));
  if (known?.success === true && known.data.keys.some((one) => JSON.stringify(one) === JSON.stringify(key)))
    return;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await removeLeftovers(dirname(file));
  // The key of this data folder replaces an older one: a service that lost its folder starts anew with what it has.
  await writeWhole(file, `${JSON.stringify({ keys: [key] })}\n`, 0o644);
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
