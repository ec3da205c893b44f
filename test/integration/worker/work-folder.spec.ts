import { link, lstat, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { WorkFolder } from '#libs/build';

describe('a work folder', () => {
  let parent: string;
  let remove: () => Promise<void>;
  let folder: WorkFolder;
  beforeEach(async () => {
    ({ path: parent, remove } = await temporaryFolder());
    folder = await WorkFolder.make(parent);
  });
  afterEach(() => remove());

  it('is for the eyes of its build alone, whatever the umask', async () => {
    const umask = process.umask(0);
    try {
      const made = await WorkFolder.make(parent);
      await WorkFolder.at(join(parent, 'named'));
      for (const path of [made.path, join(parent, 'named')])
        expect((await stat(path)).mode & 0o777).toBe(0o700);
    } finally {
      process.umask(umask);
    }
  });

  it('gives a file of the build back to the caller', async () => {
    const path = join(folder.path, 'image.sif');
    await writeFile(path, 'image');
    await folder.give(path);
    await folder.take(path);
    expect((await lstat(path)).uid).toBe(process.getuid?.());
  });

  it.each([
    ['a link to a file of this machine', (path: string) => symlink('/etc/passwd', path)],
    [
      'another name of a file',
      async (path: string) => {
        await writeFile(`${path}.other`, '');
        await folder.give(`${path}.other`);
        await link(`${path}.other`, path);
      },
    ],
    ['a directory', (path: string) => mkdir(path)],
  ])('takes no %s for the image', async (_, make) => {
    const path = join(folder.path, 'image.sif');
    await make(path);
    await expect(folder.take(path)).rejects.toThrow('something else than an image');
  });

  it.runIf(process.getuid?.() === 0)('takes no file of somebody else for the image', async () => {
    const path = join(folder.path, 'image.sif');
    await writeFile(path, 'of root');
    await expect(folder.take(path)).rejects.toThrow('something else than an image');
  });

  it('is removed with all that is in it', async () => {
    await mkdir(join(folder.path, 'a/b'), { recursive: true });
    await folder.remove();
    expect(await readdir(parent)).toEqual([]);
  });
});
