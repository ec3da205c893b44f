import { createHash, randomBytes } from 'node:crypto';
import * as openpgp from 'openpgp';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { WebModule } from '#apps/web/src/web.module';
import type { Clock } from '#libs/core';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { TestAuthority } from '../../support/tokens.js';

const CONFIG = { v6Keys: false };
const MINUTE_AGO = (): Date => new Date(Date.now() - 60_000);

/** A key as the numbered cases of keystore contract §6 name them. */
export interface CaseKey {
  /** Lower-case hex. */
  readonly fingerprint: string;
  readonly keyId: string;
  readonly shortId: string;
  readonly armored: string;
  readonly secret: openpgp.PrivateKey;
  readonly subkeys: readonly string[];
  /** The certificate with its revocation. */
  revoked(): Promise<string>;
}

async function caseKey(secret: openpgp.PrivateKey, revocation = ''): Promise<CaseKey> {
  const key = secret.toPublic();
  const fingerprint = key.getFingerprint();
  return {
    fingerprint,
    keyId: fingerprint.slice(-16),
    shortId: fingerprint.slice(-8),
    armored: key.armor(),
    secret,
    subkeys: key.getSubkeys().map((subkey) => subkey.getFingerprint()),
    revoked: async () => {
      const revoked = await openpgp.revokeKey({ key, revocationCertificate: revocation, format: 'armored' });
      return revoked.publicKey;
    },
  };
}

export interface KeyWishes {
  readonly userIds: readonly openpgp.UserID[];
  readonly rsaBits?: number;
  /** With a subkey that signs. */
  readonly signingSubkey?: boolean;
  /** Seconds after its creation, a minute ago. */
  readonly expires?: number;
  readonly version6?: boolean;
  /** With algorithms that gpg 2.4 does not know, in version 4. */
  readonly newAlgorithms?: boolean;
}

export async function newKey({
  userIds,
  rsaBits,
  signingSubkey = false,
  expires,
  version6 = false,
  newAlgorithms = version6,
}: KeyWishes): Promise<CaseKey> {
  const kind =
    rsaBits === undefined
      ? newAlgorithms
        ? { type: 'curve25519' as const }
        : { type: 'ecc' as const, curve: 'ed25519Legacy' as const }
      : { type: 'rsa' as const, rsaBits };
  const { privateKey, revocationCertificate } = await openpgp.generateKey({
    ...kind,
    userIDs: [...userIds],
    date: MINUTE_AGO(),
    format: 'object',
    ...(signingSubkey && { subkeys: [{ sign: true }, {}] }),
    ...(expires !== undefined && { keyExpirationTime: expires }),
    config: { v6Keys: version6 },
  });
  return caseKey(privateKey, revocationCertificate);
}

/** A key whose 64-bit id begins with a zero: one of sixteen does. */
export async function keyWithLeadingZero(): Promise<CaseKey> {
  for (;;) {
    const key = await newKey({ userIds: [{ name: 'Zero', email: 'zero@example.org' }] });
    if (key.keyId.startsWith('0')) return key;
  }
}

/** Two keys with the same 32-bit id: the same numbers at two times, out of many times. */
export async function keysWithEqualShortId(): Promise<[CaseKey, CaseKey]> {
  for (;;) {
    const { secret } = await newKey({ userIds: [{ name: 'Twin' }] });
    const found = equalShortIds(secret.keyPacket.write());
    if (found !== undefined)
      return [await madeAt(secret, found[0], 'Twin One'), await madeAt(secret, found[1], 'Twin Two')];
  }
}

/** @param body of the secret key packet, which begins with the public one */
function equalShortIds(body: Uint8Array): [number, number] | undefined {
  // Version, time, algorithm, the length and name of the curve, and a point of 263 bits.
  const publicBody = Buffer.from(body.subarray(0, 6 + 1 + (body[6] ?? 0) + 2 + 33));
  const prefix = Buffer.from([0x99, publicBody.length >> 8, publicBody.length & 0xff]);
  const seen = new Map<string, number>();
  for (let time = 1_000_000_000; time < 1_000_250_000; time += 1) {
    publicBody.writeUInt32BE(time, 1);
    const id = createHash('sha1').update(prefix).update(publicBody).digest('hex').slice(-8);
    const other = seen.get(id);
    if (other !== undefined) return [other, time];
    seen.set(id, time);
  }
  return undefined;
}

async function madeAt(secret: openpgp.PrivateKey, seconds: number, name: string): Promise<CaseKey> {
  const key = await openpgp.readPrivateKey({ armoredKey: secret.armor(), config: CONFIG });
  const packet = key.keyPacket as unknown as {
    created: Date;
    computeFingerprintAndKeyID(): Promise<void>;
  };
  packet.created = new Date(seconds * 1000);
  await packet.computeFingerprintAndKeyID();
  key.subkeys = [];
  const { privateKey } = await openpgp.reformatKey({
    privateKey: key,
    userIDs: [{ name }],
    date: new Date(seconds * 1000 + 1000),
    format: 'object',
    config: CONFIG,
  });
  return caseKey(privateKey);
}

/** The certificate of a key with other user ids, of which it knows nothing but their bytes. */
export async function withUserIds(key: CaseKey, userIds: readonly string[]): Promise<string> {
  const { privateKey } = await openpgp.reformatKey({
    privateKey: key.secret,
    userIDs: userIds.map((userID) => ({ name: userID })),
    date: new Date(Date.now() - 30_000),
    format: 'object',
    config: CONFIG,
  });
  return privateKey.toPublic().armor();
}

export interface HkpWorld {
  readonly app: StartedApp;
  readonly authority: TestAuthority;
  /** Of ann, whose address is ann@example.org. */
  readonly token: string;
  add(key: string, headers?: Readonly<Record<string, string>>): Promise<AppAnswer>;
  /** The same, of a key that has to be taken. */
  added(key: string): Promise<void>;
  lookup(query: string, headers?: Readonly<Record<string, string>>): Promise<AppAnswer>;
  stop(): Promise<void>;
}

/** A keystore and the start page. */
export async function hkpWorld(
  env: Readonly<Record<string, string>> = {},
  home?: string,
  authority?: TestAuthority,
  clock?: Clock,
): Promise<HkpWorld> {
  const known = authority ?? (await TestAuthority.make());
  const elsewhere = 'https://localhost:1';
  const app = await startApp({
    modules: [WebModule, KeystoreModule, known.module()],
    env: {
      SCS_SERVICES: 'web,keystore',
      SCS_AUTH_URL: elsewhere,
      SCS_LIBRARY_URL: elsewhere,
      SCS_BUILDER_URL: elsewhere,
      ...env,
    },
    ...(home === undefined ? {} : { home }),
    ...(clock === undefined ? {} : { clock }),
  });
  const token = await known.token({ username: 'ann', claims: { email: 'ann@example.org' } });
  const add: HkpWorld['add'] = (key, headers = {}) =>
    app.request('/pks/add', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams({ keytext: key }).toString(),
      token,
    });
  return {
    app,
    authority: known,
    token,
    add,
    added: async (key) => {
      const { status, body } = await add(key);
      if (status !== 200) throw new Error(`Not taken: ${status} ${JSON.stringify(body)}`);
    },
    lookup: (query, headers = {}) => app.request(`/pks/lookup?${query}`, { headers }),
    stop: () => app.stop(),
  };
}

/** A multipart form with one field, as `curl -F` makes it. */
export function multipart(name: string, content: Buffer, file?: string): { type: string; body: Buffer } {
  const boundary = `----${randomBytes(12).toString('hex')}`;
  const disposition = `form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"`}`;
  const head = `--${boundary}\r\nContent-Disposition: ${disposition}\r\n${file === undefined ? '' : 'Content-Type: application/octet-stream\r\n'}\r\n`;
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([Buffer.from(head), content, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
