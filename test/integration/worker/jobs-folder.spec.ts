import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { JobsFolder } from '#apps/worker/src/jobs-folder';
import { withFileLock } from '#libs/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';

describe('the folder of a worker', () => {
  let home: string;
  let remove: () => Promise<void>;
  beforeEach(async () => {
    ({ path: home, remove } = await temporaryFolder());
  });
  afterEach(() => remove());

  const complaints: string[] = [];
  const worker = (): JobsFolder =>
    new JobsFolder(
      { dataFolder: () => home } as never,
      { error: (message: string) => complaints.push(message) } as never,
    );
  const jobs = () => readdir(join(home, 'jobs'));

  it('is left alone by another worker that starts', async () => {
    const one = worker();
    await one.open();
    await mkdir(one.of('a'));
    await writeFile(join(one.of('a'), 'file'), 'of a running build');
    const other = worker();
    await other.open();
    expect(await readFile(join(one.of('a'), 'file'), 'utf8')).toBe('of a running build');
    expect(other.of('a')).not.toBe(one.of('a'));
    await one.close();
    await other.close();
    expect(await jobs()).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('is removed by the next worker when its own was killed', async () => {
    // A holder of a lock that was killed: the name of a process that is no more.
    const child = spawn('sleep', ['100']);
    await mkdir(join(home, 'jobs/dead/build'), { recursive: true });
    await writeFile(join(home, 'jobs/dead/build/file'), '');
    const lock = join(home, 'lock');
    let own = '';
    await withFileLock(lock, async () => void (own = await readlink(lock)));
    const [machine, boot, namespace] = own.split('-');
    await symlink([machine, boot, namespace, child.pid, '1'].join('-'), join(home, 'jobs/dead.lock'));
    await symlink([machine, boot, namespace, child.pid, '1'].join('-'), join(home, 'jobs/gone.lock'));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = worker();
    await next.open();
    const name = dirname(next.of('a')).split('/').at(-1) ?? '';
    expect((await jobs()).sort()).toEqual([name, `${name}.lock`].sort());
    await next.close();
    expect(await jobs()).toEqual([]);
  });

  it('may hold what versions before left: builds without a lock', async () => {
    await mkdir(join(home, 'jobs/0123456789abcdef01234567/stages'), { recursive: true });
    await writeFile(join(home, 'jobs/0123456789abcdef01234567.sif'), 'finished');
    const one = worker();
    await one.open();
    expect(await jobs()).toHaveLength(2);
    await one.close();
  });
});
