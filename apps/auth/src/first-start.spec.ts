import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '#libs/core';
import { openDocuments, TEMPORARY_DATABASE, type Documents } from '#libs/documents';
import type { TokenVerifier } from '#libs/server';
import { beginInstance, completeTokenFile, type FirstStartParts } from './first-start.js';
import { LocalAuthority } from './local-authority.js';
import type { RevocationsService } from './revocations.service.js';
import type { SignInService } from './sign-in.service.js';
import { SigningKeys } from './signing-keys.js';
import { wire } from './testing/wire.js';

let home: string;
let database: Documents;
let clock: ManualClock;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'scs-first-'));
  database = await openDocuments(TEMPORARY_DATABASE, { service: 'auth' });
  clock = new ManualClock('2026-05-01T12:00:00Z');
});
afterEach(async () => {
  await database.close();
  await rm(home, { recursive: true });
});

/** One start on what is there, up to where the port would open. */
async function start(): Promise<{
  verifier: TokenVerifier;
  revocations: RevocationsService;
  signIns: SignInService;
  parts: FirstStartParts;
}> {
  const keys = await SigningKeys.open(join(home, 'signing-keys'), { clock });
  const { issuer, verifier, revocations, uses, signIns, ...services } = await wire(database, clock);
  const log = pino({ enabled: false });
  const { settings, accounts, accountsStore, tokens, tokensStore, commits, trail } = services;
  const stores = { settings, accounts, accountsStore, tokens, tokensStore, commits, trail };
  const parts = { home, keys, clock, log, ...stores };
  const instance = await beginInstance(parts);
  issuer.open(instance.issuer, keys);
  await completeTokenFile(parts, instance);
  verifier.useAuthority(new LocalAuthority(issuer, revocations, uses));
  await verifier.refresh();
  return { verifier, revocations, signIns, parts };
}

const tokenFile = () => readFile(join(home, 'admin.token'), 'utf8');
const password = async () => (await readFile(join(home, 'admin.password'), 'utf8')).trim();
const signIn = async ({ signIns }: { signIns: SignInService }) =>
  signIns.check({ username: 'admin', password: await password(), address: '127.0.0.1' });

describe('first start', () => {
  test('makes an account whose password and token are in the files', async () => {
    const started = await start();
    const { verifier } = started;
    expect(await password()).toHaveLength(24);
    expect((await signIn(started)).administrator).toBe(true);
    expect((await tokenFile()).split('\n')).toHaveLength(2);
    expect(await verifier.verify((await tokenFile()).trim())).toMatchObject({
      username: 'admin',
      administrator: true,
    });
  });

  test('a second start changes nothing', async () => {
    await start();
    const before = [await tokenFile(), await password(), await readdir(join(home, 'signing-keys'))];
    await start();
    expect([await tokenFile(), await password(), await readdir(join(home, 'signing-keys'))]).toEqual(before);
  });

  test('killed after the password file: the next start takes that password', async () => {
    await writeFile(join(home, 'admin.password'), 'from the first try\n');
    const started = await start();
    expect(await password()).toBe('from the first try');
    expect((await signIn(started)).username).toBe('admin');
  });

  test('killed before the token file: the next start writes it, for the same token', async () => {
    await mkdir(join(home, 'admin.token'));
    await expect(start()).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    await rm(join(home, 'admin.token'), { recursive: true });
    const { verifier, parts } = await start();
    const actor = await verifier.verify((await tokenFile()).trim());
    const { items } = await parts.tokensStore.list(actor.accountId, { limit: 10 });
    expect(items.map((item) => item.id)).toEqual([actor.tokenId]);
  });

  test('killed while a file was written: no half of it is taken, and it does not stay', async () => {
    await mkdir(join(home, 'signing-keys'));
    const halves = ['signing-keys/0001.json', 'admin.password', 'admin.token'].map((name) =>
      join(home, `${name}.0123456789abcdef.tmp`),
    );
    for (const half of halves) {
      await writeFile(half, '{"kty":');
      await utimes(half, new Date(0), new Date(0));
    }
    const young = join(home, 'admin.token.fedcba9876543210.tmp');
    await writeFile(young, 'of a start at the same time');
    await start();
    expect(await readdir(join(home, 'signing-keys'))).toEqual(['0001.json']);
    expect((await readdir(home)).filter((name) => name.endsWith('.tmp'))).toEqual([basename(young)]);
  });

  test('two at once agree on the account, the key and the password', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    const token = (await tokenFile()).trim();
    expect(await one.verifier.verify(token)).toEqual(await two.verifier.verify(token));
    expect((await signIn(one)).accountId).toBe((await signIn(two)).accountId);
  });

  test('a password file that is too short stops the start with a sentence', async () => {
    await writeFile(join(home, 'admin.password'), 'short\n');
    await expect(start()).rejects.toThrow(
      /Expected a password of 10 to 256 characters in the first line of .*admin\.password/,
    );
  });
});

describe('the token file later', () => {
  const days = (count: number) => clock.advance(count * 86_400_000);
  const idInFile = async () => decodeJwt(await tokenFile()).jti;

  test('stays as it is while the token is good for long', async () => {
    await start();
    const before = await tokenFile();
    days(300);
    await start();
    expect(await tokenFile()).toBe(before);
  });

  test('is renewed when the token is about to expire, also after it did', async () => {
    await start();
    const before = await idInFile();
    days(340);
    const { verifier } = await start();
    expect(await idInFile()).not.toBe(before);
    days(400);
    const later = await start();
    expect((await later.verifier.verify((await tokenFile()).trim())).username).toBe('admin');
    await expect(verifier.verify('x')).rejects.toThrow('not valid');
  });

  test('is not made again when somebody removed it', async () => {
    await start();
    await rm(join(home, 'admin.token'));
    await start();
    await expect(tokenFile()).rejects.toThrow(/ENOENT/);
  });

  test('is not renewed when its token was revoked', async () => {
    const { revocations } = await start();
    const id = await idInFile();
    await revocations.revokeToken(null, id ?? '');
    days(340);
    await start();
    expect(await idInFile()).toBe(id);
  });

  test('is signed anew when the signing key was retired', async () => {
    await start();
    const before = await tokenFile();
    await rm(join(home, 'signing-keys', '0001.json'));
    const { verifier } = await start();
    expect(decodeProtectedHeader(await tokenFile()).kid).not.toBe(decodeProtectedHeader(before).kid);
    expect((await verifier.verify((await tokenFile()).trim())).username).toBe('admin');
    await expect(verifier.verify(before.trim())).rejects.toThrow('not valid');
  });
});
