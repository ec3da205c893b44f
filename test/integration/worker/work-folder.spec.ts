import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { ClaimedFolder, WorkFolder } from '#libs/build';

describe('a work folder', () => {
  let parent: string;
  let remove: () => Promise<void>;
  let folder: WorkFolder;
  beforeEach(async () => {
    ({ path: parent, remove } = await temporaryFolder());
    folder = await WorkFolder.at(join(parent, 'work'));
  });
  afterEach(() => remove());

  it('is for the eyes of its build alone, whatever the umask', async () => {
    const umask = process.umask(0);
    try {
      await WorkFolder.at(join(parent, 'named'));
      const claimed = await ClaimedFolder.claim({ parent, prefix: 'sing-build-', onStays: () => undefined });
      for (const path of [claimed.path, join(parent, 'named')])
        expect((await stat(path)).mode & 0o777).toBe(0o700);
      await claimed.remove();
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

describe('a claimed folder', () => {
  let parent: string;
  let remove: () => Promise<void>;
  beforeEach(async () => {
    ({ path: parent, remove } = await temporaryFolder());
  });
  afterEach(() => remove());

  const claim = (): Promise<ClaimedFolder> =>
    ClaimedFolder.claim({ parent, prefix: 'sing-build-', onStays: () => undefined });

  /** A folder of a process that was killed. */
  async function leftover(name: string): Promise<void> {
    const child = spawn('sleep', ['100']);
    const living = await claim();
    const [machine, boot, namespace] = (await readlink(`${living.path}.lock`)).split('-');
    await living.remove();
    await mkdir(join(parent, name, 'work'), { recursive: true, mode: 0o700 });
    await symlink([machine, boot, namespace, child.pid, '1'].join('-'), join(parent, `${name}.lock`));
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  it('goes with the next claim when its process was killed, and stays while it lives', async () => {
    const living = await claim();
    await leftover('sing-build-dead');
    await mkdir(join(parent, 'sing-kept-by-somebody'));
    const next = await claim();
    expect((await readdir(parent)).sort()).toEqual(
      [living.path, `${living.path}.lock`, next.path, `${next.path}.lock`]
        .map((path) => path.slice(parent.length + 1))
        .concat('sing-kept-by-somebody')
        .sort(),
    );
    await living.remove();
    await next.remove();
    expect(await readdir(parent)).toEqual(['sing-kept-by-somebody']);
  });

  it.runIf(process.getuid?.() === 0)('of somebody else is left alone where everybody may write', async () => {
    await chmod(parent, 0o1777);
    await leftover('sing-build-foreign');
    await chown(join(parent, 'sing-build-foreign'), 12_345, 12_345);
    await leftover('sing-build-open');
    await chmod(join(parent, 'sing-build-open'), 0o755);
    await (await claim()).remove();
    expect((await readdir(parent)).filter((name) => !name.endsWith('.lock')).sort()).toEqual([
      'sing-build-foreign',
      'sing-build-open',
    ]);
  });
});
