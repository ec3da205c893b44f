import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadUploadKey } from './uploadKey.js';

describe('the key of upload addresses', () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'scs-key-')), 'library');
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true }));

  it('is made once, for nobody else to read, and stays the same', async () => {
    const first = await loadUploadKey(folder);
    expect(first).toHaveLength(32);
    expect(await loadUploadKey(folder)).toEqual(first);
    expect(await readdir(folder)).toEqual(['upload-url.key']);
    expect((await stat(join(folder, 'upload-url.key'))).mode & 0o777).toBe(0o600);
  });

  it('is the same for everybody who makes it at once', async () => {
    const keys = await Promise.all(Array.from({ length: 5 }, () => loadUploadKey(folder)));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(await readdir(folder)).toEqual(['upload-url.key']);
  });

  it('is refused when the file is damaged', async () => {
    await loadUploadKey(folder);
    await writeFile(join(folder, 'upload-url.key'), 'short');
    await expect(loadUploadKey(folder)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'bad_upload_key',
    });
  });
});
