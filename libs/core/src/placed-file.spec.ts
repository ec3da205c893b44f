import { mkdtemp, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { placeFile } from './placed-file.js';
import { fileError } from './system-errors.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'placed-'));
});
afterEach(() => rm(folder, { recursive: true }));

const put = (name: string, overwrite: boolean, text = 'new') =>
  placeFile(join(folder, name), { overwrite, mode: 0o640 }, (file) => file.writeFile(text));

describe('a placed file', () => {
  it('is there whole, with its mode, and nothing else stays', async () => {
    await put('a', false);
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('new');
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o640 & ~process.umask());
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('replaces another one only when it may', async () => {
    await writeFile(join(folder, 'a'), 'old');
    await expect(put('a', false)).rejects.toMatchObject({ code: 'conflict', reason: 'exists' });
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('old');
    await put('a', true);
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('new');
  });

  it('does not replace one that came meanwhile', async () => {
    const placing = placeFile(join(folder, 'a'), { overwrite: false }, async (file) => {
      await file.writeFile('slow');
      await writeFile(join(folder, 'a'), 'fast');
    });
    await expect(placing).rejects.toMatchObject({ reason: 'exists' });
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('fast');
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('replaces a symbolic link and not what it points to', async () => {
    await writeFile(join(folder, 'target'), 'precious');
    await symlink('target', join(folder, 'a'));
    await expect(put('a', false)).rejects.toMatchObject({ reason: 'exists' });
    await put('a', true);
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('precious');
  });

  it('leaves nothing when writing fails', async () => {
    const failing = placeFile(join(folder, 'a'), { overwrite: false }, async (file) => {
      await file.writeFile('half');
      throw new Error('interrupted');
    });
    await expect(failing).rejects.toThrow('interrupted');
    expect(await readdir(folder)).toEqual([]);
  });

  it('never takes the place of a folder', async () => {
    await mkdir(join(folder, 'a'));
    await expect(put('a', true)).rejects.toMatchObject({ reason: 'is_a_folder' });
  });
});

describe('a system error about a file', () => {
  it('is a sentence with the path', async () => {
    const error = await readFile(join(folder, 'none')).catch((thrown: unknown) => thrown);
    expect(fileError(error)).toMatchObject({
      code: 'not_found',
      message: `There is no ${join(folder, 'none')}`,
    });
  });

  it('is not made of other errors', () => {
    expect(fileError(new TypeError('x'))).toBeUndefined();
    expect(fileError(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBeUndefined();
  });
});
