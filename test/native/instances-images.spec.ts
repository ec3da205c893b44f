import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeImage, skipContainers, type Ended } from '../support/containers.js';
import { makeSquashfs, runWithFuse, skipFuse } from '../support/fuse.js';
import { instanceOwner, isRunning, parentOf, type InstanceOwner } from '../support/instances.js';
import { childrenOf, eventually, processesWith } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary.js';

// The server of an instance's image is its own, and lives as long as the instance does.
describe.skipIf(skipContainers() || skipFuse())('image files of instances', () => {
  let folder = '';
  let whole = '';
  let image = '';
  let remove = async (): Promise<void> => undefined;
  let owner: InstanceOwner;
  let number = 0;

  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    whole = makeSquashfs(makeImage(folder), join(folder, 'whole.sqfs'), '-comp', 'zstd');
  });
  afterAll(() => remove());
  beforeEach(() => {
    number += 1;
    image = join(folder, `image-${number}-.sqfs`);
    copyFileSync(whole, image);
    owner = instanceOwner(folder, `home-${number}`);
    mkdirSync(join(folder, `device-${number}`), { mode: 0o755 });
  });
  afterEach(async () => {
    await owner.leave();
    await serversAreGone();
  });

  const run = (words: readonly string[], device: 'open' | 'closed' = 'open'): Promise<Ended> =>
    runWithFuse(join(folder, `device-${number}`), device, words, { HOME: owner.home });
  const start = async (name: string): Promise<number> => {
    expect(await run(['instance', 'start', image, name])).toMatchObject({ status: 0 });
    return (await owner.list()).find(({ instance }) => instance === name)?.pid ?? 0;
  };
  const servers = (): number[] =>
    processesWith('sing-image')
      .filter((line) => line.includes(image))
      .map((line) => Number(line.split(' ')[0]));
  const serversAreGone = (): Promise<void> =>
    eventually('no server and no mount to be left', () => [
      ...servers(),
      ...(readFileSync('/proc/self/mountinfo', 'utf8').includes(image) ? ['a mount'] : []),
    ]);

  it('are served to the instance and to who joins it, each by a server of its own', async () => {
    await start('one');
    await start('two');
    expect(servers()).toHaveLength(2);
    expect(await run(['exec', 'instance://one', 'cat', '/etc/group'])).toMatchObject({
      stdout: 'root:x:0:\n',
    });
    await run(['instance', 'stop', 'one']);
    await eventually('the server of the other one to be left', () => servers().length === 1);
    expect(await run(['exec', 'instance://two', 'cat', '/etc/group'])).toMatchObject({
      stdout: 'root:x:0:\n',
    });
  });

  it.each(['process 1', 'keeper'])('kill -9 of the %s ends the server', async (which) => {
    const pid = await start('one');
    process.kill(which === 'keeper' ? parentOf(pid) : pid, 'SIGKILL');
    await serversAreGone();
    expect(await owner.list()).toEqual([]);
  });

  it('kill -9 of the server leaves an instance that is stopped as ever', async () => {
    const pid = await start('one');
    // The instance ends with a startscript that fails, and one whose shell cannot be read any more does.
    await eventually('the startscript to be over', () => childrenOf(pid));
    for (const server of servers()) process.kill(server, 'SIGKILL');
    expect((await run(['exec', 'instance://one', 'cat', '/etc/group'])).status).not.toBe(0);
    expect(await run(['instance', 'stop', 'one'])).toMatchObject({ status: 0 });
    expect(isRunning(pid)).toBe(false);
  });

  it('where there is no FUSE they are unpacked, and removed at the end', async () => {
    expect(await run(['instance', 'start', image, 'one'], 'closed')).toMatchObject({ status: 0 });
    expect((await owner.run(['exec', 'instance://one', 'cat', '/etc/group'])).stdout).toBe('root:x:0:\n');
    const cleaners = processesWith('sing-image').filter((line) => line.includes(image));
    expect(cleaners).toHaveLength(1);
    await owner.run(['instance', 'stop', 'one']);
    await serversAreGone();
  });

  it('an image that is broken is refused, and no instance is there', async () => {
    const { execFileSync } = await import('node:child_process');
    execFileSync('truncate', ['-s', '4096', image]);
    const started = await run(['instance', 'start', image, 'one']);
    expect(started).toMatchObject({ status: 255, stderr: expect.stringMatching(/^FATAL: /m) });
    expect(await owner.list()).toEqual([]);
  });
});
