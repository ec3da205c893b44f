import { execFileSync } from 'node:child_process';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

const MIB = 1024 * 1024;
const look = (image: string, command: string): string =>
  execFileSync('/sbin/debugfs', ['-R', command, world.path(image)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
const ownerOf = (image: string, path: string): string =>
  /User: +(\d+) +Group: +(\d+)/
    .exec(look(image, `stat ${path}`))
    ?.slice(1)
    .join(':') ?? 'nobody';
const me = `${process.getuid?.()}:${process.getgid?.()}`;

interface Partition {
  readonly type: string;
  readonly fileSystem?: string;
  readonly partitionType?: string;
  readonly architecture?: string;
  readonly offset: number;
  readonly size: number;
}
const partitions = async (image: string) =>
  (
    JSON.parse((await world.ok(['sif', 'list', '--json', image])).stdout) as { objects: Partition[] }
  ).objects.filter(({ type }) => type === 'FS');

// Runtime contract §1.6 and rows T083 and T088 of §5.
describe('overlay create', () => {
  it('T083 makes an ext3 with a journal that belongs to who calls, every byte of it on disk', async () => {
    const { stderr } = await world.ok(['overlay', 'create', 'o.img']);
    expect(stderr).toContain('Overlay created: o.img');
    const { size, blocks } = await stat(world.path('o.img'));
    expect(size).toBe(64 * MIB);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    expect(look('o.img', 'stats')).toMatch(/Filesystem features: +has_journal ext_attr/);
    for (const path of ['/', 'upper', 'work']) expect(ownerOf('o.img', path)).toBe(me);
  });

  it('is sparse when it is asked, and has directories that can be written', async () => {
    await world.ok([
      'overlay',
      'create',
      '-S',
      '-s',
      '100',
      '--create-dir',
      '/a/b',
      '--create-dir=c',
      'o.img',
    ]);
    const { size, blocks } = await stat(world.path('o.img'));
    expect(size).toBe(100 * MIB);
    expect(blocks * 512).toBeLessThan(size / 4);
    for (const path of ['upper/a', 'upper/a/b', 'upper/c']) expect(ownerOf('o.img', path)).toBe(me);
  });

  it('has modes with which everybody gets through, whatever the umask is', async () => {
    const before = process.umask(0o077);
    try {
      await world.ok(['overlay', 'create', '-S', '--create-dir', '/a/b', 'o.img']);
    } finally {
      process.umask(before);
    }
    for (const path of ['/', 'upper', 'work', 'upper/a', 'upper/a/b'])
      expect([path, look('o.img', `stat ${path}`)]).toEqual([path, expect.stringMatching(/Mode: +0755/)]);
  });

  it('gives it to root for --fakeroot', async () => {
    await world.ok(['overlay', 'create', '-f', '-S', '--create-dir', '/a/b', 'o.img']);
    for (const path of ['/', 'upper', 'work', 'upper/a', 'upper/a/b'])
      expect(ownerOf('o.img', path)).toBe('0:0');
  });

  it('adds a partition to a SIF file, which keeps what it has, once', async () => {
    await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('image.sif'));
    const before = await partitions('image.sif');
    await world.ok(['overlay', 'create', 'image.sif']);
    const after = await partitions('image.sif');
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length)).toMatchObject([
      {
        fileSystem: 'Ext3',
        partitionType: 'Overlay',
        architecture: before[0]?.architecture,
        size: 64 * MIB,
      },
    ]);
    expect((after.at(-1)?.offset ?? 1) % 4096).toBe(0);
    const again = await world.run(['overlay', 'create', 'image.sif']);
    expect([again.status, again.stderr]).toEqual([
      255,
      expect.stringContaining('has a writable overlay already'),
    ]);
  });

  it('makes what it adds to a SIF file where temporary files are to lie', async () => {
    await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('image.sif'));
    const env = { SINGULARITY_TMPDIR: world.path('nowhere') };
    const ended = await world.run(['overlay', 'create', 'image.sif'], { env });
    expect(ended.stderr).toContain(
      `The folder for temporary files cannot be used: ${env.SINGULARITY_TMPDIR}`,
    );
  });

  it.each([
    [['-s', '10', 'new.img'], 'Expected a size from 64'],
    [['--create-dir', '../x', 'new.img'], 'for --create-dir'],
    [['plain'], 'is no SIF file'],
    [['signed.sif'], 'is signed'],
    [['encrypted.sif'], 'is encrypted'],
    [['-S', 'unsigned.sif'], 'cannot be sparse'],
    [['missing/new.img'], 'missing'],
  ])('T088 %j is refused with 255 and changes nothing', async (words, message) => {
    await writeFile(world.path('plain'), 'something');
    await copyFile(join(SIF_FIXTURES, 'images/signed.sif'), world.path('signed.sif'));
    await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('unsigned.sif'));
    await copyFile(
      join(SIF_FIXTURES, 'encrypted/encrypted-gocryptfs-passphrase.sif'),
      world.path('encrypted.sif'),
    );
    const name = words.at(-1) ?? '';
    const before = await readFile(world.path(name)).catch(() => null);
    const { status, stderr } = await world.run(['overlay', 'create', ...words]);
    expect([status, stderr]).toEqual([255, expect.stringContaining(message)]);
    expect(await readFile(world.path(name)).catch(() => null)).toEqual(before);
  });
});
