import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ServiceKeys } from '#libs/contract';
import { ManualClock } from '#libs/core';
import { ServiceKey, serviceKeysFile } from './service-key.js';

let home: string;
const clock = new ManualClock('2026-05-01T12:00:00Z');
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'scs-key-'));
});
afterEach(() => rm(home, { recursive: true }));
const open = () =>
  ServiceKey.open({ service: 'builder', dataFolder: join(home, 'data', 'builder'), home, clock });
const published = async () =>
  ServiceKeys.parse(JSON.parse(await readFile(serviceKeysFile(home, 'builder'), 'utf8'))).keys;

test('is made once, for the service alone, and its public part is put where the auth service looks', async () => {
  await open();
  const file = join(home, 'data', 'builder', 'service-key.json');
  const before = await readFile(file, 'utf8');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await open();
  expect(await readFile(file, 'utf8')).toBe(before);
  expect(await published()).toHaveLength(1);
  expect(await readFile(serviceKeysFile(home, 'builder'), 'utf8')).not.toContain(JSON.parse(before).d);
});

test('a lost public part is put back, and a lost private one replaced', async () => {
  await open();
  const [first] = await published();
  await rm(serviceKeysFile(home, 'builder'));
  await open();
  expect(await published()).toEqual([first]);
  await rm(join(home, 'data', 'builder'), { recursive: true });
  await open();
  expect((await published())[0]?.kid).not.toBe(first?.kid);
});

test('a proof is for one instance, one minute, and different every time', async () => {
  const key = await open();
  const [one, two] = [await key.assertion('urn:scs:x'), await key.assertion('urn:scs:x')];
  const claims = decodeJwt(one);
  expect(claims).toMatchObject({ iss: 'builder', sub: 'builder', aud: 'urn:scs:x' });
  expect(Number(claims.exp) - Number(claims.iat)).toBe(60);
  expect(claims.jti).not.toBe(decodeJwt(two).jti);
  expect(decodeProtectedHeader(one)).toMatchObject({ alg: 'ES256', typ: 'client-authentication+jwt' });
});
