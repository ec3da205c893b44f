import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DomainError } from '#libs/core';
import { readSmallFile, writeOnce, writeWhole } from './secret-file.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-secret-'));
  file = join(folder, 'secret');
});
afterEach(() => rm(folder, { recursive: true }));

test('a file that is made once keeps what was there first, for its owner alone', async () => {
  const texts = await Promise.all(['one', 'two', 'three'].map((text) => writeOnce(file, text)));
  expect(new Set(texts).size).toBe(1);
  expect(await readFile(file, 'utf8')).toBe(texts[0]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['secret']);
});

test('a file that is replaced holds one text or the other, and nothing is left beside it', async () => {
  await Promise.all(['one', 'two', 'three'].map((text) => writeWhole(file, text, 0o644)));
  expect(['one', 'two', 'three']).toContain(await readFile(file, 'utf8'));
  expect((await stat(file)).mode & 0o777).toBe(0o644);
  expect(await readdir(folder)).toEqual(['secret']);
});

test('a failure leaves nothing beside the target', async () => {
  await expect(writeWhole(join(folder, 'missing', 'secret'), 'x')).rejects.toThrow('ENOENT');
  await rm(file, { force: true });
  expect(await readdir(folder)).toEqual([]);
});

test('what is not there is undefined, and what is far too long is refused', async () => {
  expect(await readSmallFile(file)).toBeUndefined();
  await writeFile(file, 'x'.repeat(70_000));
  await expect(readSmallFile(file)).rejects.toThrow('longer than');
  await expect(readSmallFile(folder)).rejects.toThrow(`Expected a file at ${folder}, got a folder`);
  await expect(readSmallFile(join(file, 'below'))).rejects.toThrow(DomainError);
});
