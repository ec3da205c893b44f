import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newPrivateJwk } from '#libs/server';
import { SigningKeys } from './signing-keys.js';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'scs-keys-')), 'signing-keys');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

test('the first key is made for its owner alone and found again', async () => {
  const first = await SigningKeys.open(folder);
  expect((await stat(join(folder, '0001.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await SigningKeys.open(folder)).published).toEqual(first.published);
});

test('two first starts at once agree on one key', async () => {
  const [one, two] = await Promise.all([SigningKeys.open(folder), SigningKeys.open(folder)]);
  expect(one.published).toEqual(two.published);
  expect(await readdir(folder)).toEqual(['0001.json']);
});

test('the newest key signs, and the older one is still published', async () => {
  const old = await SigningKeys.open(folder);
  const next = await newPrivateJwk();
  await writeFile(join(folder, '0002.json'), JSON.stringify(next));
  const keys = await SigningKeys.open(folder);
  expect(keys.published.map((key) => key.kid)).toEqual([old.published[0]?.kid, next.kid]);
  expect(decodeProtectedHeader(await keys.sign('accessToken', {})).kid).toBe(next.kid);
  expect(keys.has(old.published[0]?.kid)).toBe(true);
  expect(JSON.stringify(keys.published)).not.toContain(next.d);
});

test('a damaged key file is named', async () => {
  await SigningKeys.open(folder);
  await writeFile(join(folder, '0001.json'), '{}');
  await expect(SigningKeys.open(folder)).rejects.toThrow(/Expected a private ES256 key in .*0001\.json/);
});
