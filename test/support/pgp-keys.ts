import { readFileSync } from 'node:fs';
import * as openpgp from 'openpgp';
import { systemClock } from '#libs/core';
import { clearSign, readKeys } from '#libs/pgp';
import type { AppAnswer, StartedApp } from './app.js';

/** A key that was made for a test, with all that can be done with it. */
export interface TestKey {
  /** Lower-case hexadecimal. */
  readonly fingerprint: string;
  readonly armored: string;
  readonly secret: openpgp.PrivateKey;
  /** The same certificate with its revocation. */
  revoked(): Promise<string>;
}

export interface TestKeyOptions {
  /** User ids as OpenPGP.js takes them; the name of the key at example.org when absent. */
  readonly userIds?: readonly openpgp.UserID[];
  /** Seconds from now until it expires. */
  readonly expiresIn?: number;
  readonly subkeys?: readonly openpgp.SubkeyOptions[];
}

/** A key for Ed25519 that was made a minute ago; for the default user id the name is one word. */
export async function newTestKey(name: string, options: TestKeyOptions = {}): Promise<TestKey> {
  const { userIds = [{ name, email: `${name.toLowerCase()}@example.org` }], expiresIn, subkeys } = options;
  const made = await openpgp.generateKey({
    userIDs: [...userIds],
    type: 'ecc',
    curve: 'ed25519Legacy',
    date: new Date(Date.now() - 60_000),
    format: 'object',
    ...(subkeys !== undefined && { subkeys: [...subkeys] }),
    ...(expiresIn !== undefined && { keyExpirationTime: expiresIn + 60 }),
    config: { v6Keys: false },
  });
  const { privateKey, publicKey, revocationCertificate } = made;
  return {
    fingerprint: publicKey.getFingerprint(),
    armored: publicKey.armor(),
    secret: privateKey,
    async revoked() {
      const { publicKey: revoked } = await openpgp.revokeKey({
        key: publicKey,
        revocationCertificate,
        format: 'armored',
      });
      return revoked;
    },
  };
}

/** One of the keys of the fixtures (test/fixtures/sif/README.md), without its revocation. */
export async function sifKey(name: string): Promise<Omit<TestKey, 'revoked'>> {
  const read = (part: string): string =>
    readFileSync(new URL(`../fixtures/sif/keys/${name}.${part}.asc`, import.meta.url), 'utf8');
  const secret = await openpgp.readPrivateKey({ armoredKey: read('SECRET-test-only') });
  return { fingerprint: secret.getFingerprint(), armored: read('pub'), secret };
}

/** The certificate of a key with another user id, as `gpg --quick-add-uid` makes it. */
export async function withUserId({ secret }: TestKey, userId: openpgp.UserID): Promise<string> {
  const { publicKey } = await openpgp.reformatKey({
    privateKey: secret,
    userIDs: [userId],
    date: new Date(Date.now() - 30_000),
    format: 'armored',
  });
  return publicKey;
}

/** `POST /pks/add`. */
export function addKey(app: Pick<StartedApp, 'request'>, armored: string, token: string): Promise<AppAnswer> {
  const headers = { 'content-type': 'application/pgp-keys' };
  return app.request('/pks/add', { method: 'POST', headers, body: armored, token });
}

/** The certificates that `op=get` gives; none for 404. */
export async function getKeys(app: Pick<StartedApp, 'request'>, search: string): Promise<openpgp.Key[]> {
  const { status, body } = await app.request(`/pks/lookup?op=get&search=${encodeURIComponent(search)}`);
  return status === 404 ? [] : openpgp.readKeys({ armoredKeys: body as string });
}

/** User ids of a certificate, in order. */
export const userIdsOf = (key: openpgp.Key | undefined): string[] => key?.getUserIDs() ?? [];

/** A text, clear-signed with a key: what `sing` does, and `gpg --clearsign`. */
export async function clearSigned({ secret }: Pick<TestKey, 'secret'>, text: string): Promise<string> {
  const [key] = await readKeys(secret.armor());
  if (key === undefined) throw new Error('no key');
  return (await clearSign(text, { key, clock: systemClock })).toString();
}
