import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from '../testing/world.js';

const BUILT = existsSync(resolve(import.meta.dirname, '../../../../addon/build/sing'));

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

/** An unpacked image as the native program leaves it; the path of its key. */
async function unpacked(name: string): Promise<string> {
  const folder = world.path('.singularity/cache/rootfs');
  await mkdir(join(folder, name, 'rootfs'), { recursive: true, mode: 0o700 });
  const key = join(folder, name, 'key');
  await writeFile(key, 'unpacked 1 of …\n4096\n/images/one.sif\n');
  return key;
}

describe.skipIf(!BUILT)('unpacked images in the cache', () => {
  it('are listed with their size', async () => {
    await unpacked('0123456789abcdef');
    const { stdout } = await world.ok(['cache', 'list', '--type', 'rootfs', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      entries: [{ name: '0123456789abcdef', size: 4096, type: 'rootfs' }],
    });
  });

  it('are removed, but not those in use; leftovers go, too', async () => {
    const key = await unpacked('0123456789abcdef');
    await unpacked('fedcba9876543210');
    await unpacked('.new-0000000000000000');
    const user = spawn('flock', ['-s', key, 'sh', '-c', 'echo ready; read -r line']);
    await once(user.stdout, 'data');
    const { stderr } = await world.ok(['cache', 'clean', '--force', '--type', 'rootfs']);
    expect(stderr).toContain('Left rootfs 0123456789abcdef alone: a container uses it');
    expect(stderr).toContain('Removed rootfs fedcba9876543210');
    const left = async (): Promise<string[]> =>
      (await readdir(world.path('.singularity/cache/rootfs'))).filter((name) => name !== '.lock');
    expect(await left()).toEqual(['0123456789abcdef']);
    const closed = once(user, 'close');
    user.stdin.end('\n');
    await closed;
    await world.ok(['cache', 'clean', '--force', '--type', 'rootfs']);
    expect(await left()).toEqual([]);
  });
});
