import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, PROGRAM, skipContainers } from '../support/containers.js';
import { instanceOwner, parentOf, type InstanceOwner } from '../support/instances.js';
import { temporaryFolder } from '../support/temporary.js';

/** What a process has open; what it closes while it is looked at is not. */
function openOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

// A start in a script or a pipeline ends for everybody who waits for it, whatever descriptors it was given.
describe.skipIf(skipContainers())('what the keeper of an instance has open', () => {
  let folder = '';
  let remove = async (): Promise<void> => undefined;
  let image = '';
  let owner: InstanceOwner;

  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    image = makeImage(folder);
    owner = instanceOwner(folder, 'home');
  });
  afterAll(async () => {
    await owner.leave();
    await remove();
  });

  it('is nothing of the caller, whose pipe ends with the start', async () => {
    const root = process.getuid?.() === 0;
    const started = spawn(PROGRAM, ['instance', 'start', image, 'one'], {
      stdio: ['ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'pipe'],
      env: { HOME: owner.home, PATH: process.env['PATH'] },
      cwd: '/',
      ...(root ? { uid: ordinaryId(), gid: ordinaryId() } : {}),
    });
    const given = text((started.stdio as readonly unknown[])[5] as Readable);
    expect(await once(started, 'exit')).toEqual([0, null]);
    expect(await given).toBe('');
    const keeper = parentOf((await owner.list())[0]?.pid ?? 0);
    expect(openOf(keeper).filter((name) => name === image || name.startsWith('pipe:'))).toEqual([]);
  });
});
