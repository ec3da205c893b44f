import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
  await copyFile(join(SIF_FIXTURES, 'images/signed.sif'), world.path('signed.sif'));
  await writeFile(world.path('data'), 'hello');
});
afterEach(() => world.close());

interface ListedObject {
  readonly id: number;
  readonly type: string;
  readonly [key: string]: unknown;
}

const objectsOf = async (image: string) =>
  (JSON.parse((await world.ok(['sif', 'list', '--json', image])).stdout) as { objects: ListedObject[] })
    .objects;

describe('sif new', () => {
  it('makes an image without objects, and says nothing', async () => {
    expect(await world.ok(['sif', 'new', 'new.sif'])).toMatchObject({ stdout: '', stderr: '' });
    expect((await stat(world.path('new.sif'))).mode & 0o111).not.toBe(0);
    expect(await objectsOf('new.sif')).toEqual([]);
    const { stdout } = await world.ok(['sif', 'header', 'new.sif']);
    expect(stdout).toContain('Descriptors Free:   48\n');
    expect(stdout).not.toContain('Launch Script');
  });

  it('takes an empty file with its mode, and no other one without being told', async () => {
    await writeFile(world.path('empty'), '', { mode: 0o600 });
    await world.ok(['sif', 'new', 'empty']);
    expect((await stat(world.path('empty'))).mode & 0o777).toBe(0o600);
    const refused = await world.run(['sif', 'new', 'data']);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('--force')]);
    expect(await readFile(world.path('data'), 'utf8')).toBe('hello');
    await world.ok(['sif', 'new', '--force', 'data']);
    expect(await objectsOf('data')).toEqual([]);
  });
});

describe('sif add', () => {
  const add = (...flags: string[]) => world.run(['sif', 'add', ...flags, 'new.sif', 'data']);
  beforeEach(() => world.ok(['sif', 'new', 'new.sif']));

  it.each([
    ['1', 'Def.FILE'],
    ['2', 'Env.Vars'],
    ['3', 'JSON.Labels'],
    ['6', 'JSON.Generic'],
    ['7', 'Generic/Raw'],
    ['8', 'Cryptographic Message'],
    ['10', 'OCI.RootIndex'],
    ['11', 'OCI.Blob'],
  ])('adds type %s', async (datatype, type) => {
    expect(await add('--datatype', datatype)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(await objectsOf('new.sif')).toMatchObject([
      { id: 1, type, group: null, link: null, name: '', size: 5 },
    ]);
    expect((await world.ok(['sif', 'dump', '1', 'new.sif'])).stdout).toBe('hello');
  });

  it('adds a partition, at a place that can be mounted', async () => {
    await add('--datatype', '4', '--partfs', '1', '--parttype', '2', '--partarch', '4', '--groupid', '1');
    await add('--datatype', '4', '--partfs', '2', '--parttype', '4', '--partarch', 'arm64');
    await add('--datatype', '4', '--partfs', '4', '--parttype', '3', '--partarch', '2', '--alignment', '0');
    expect(await objectsOf('new.sif')).toMatchObject([
      { group: 1, offset: 32768, fileSystem: 'Squashfs', partitionType: 'Primary', architecture: 'arm64' },
      { group: null, offset: 36864, fileSystem: 'Ext3', partitionType: 'Overlay', architecture: 'arm64' },
      { offset: 36869, fileSystem: 'Raw', partitionType: 'Data', architecture: 'amd64' },
    ]);
    expect((await world.ok(['sif', 'header', 'new.sif'])).stdout).toContain('Primary Architecture: arm64');
  });

  it('adds signatures and bills of materials', async () => {
    const entity = '433FE984155206BD962725E20E8713472A879943';
    await add('--datatype', '5', '--signhash', '2', '--signentity', entity, '--link', '4026531841');
    await add('--datatype', '9', '--sbomformat', 'github', '--link', '1', '--filename', 'what is in it');
    expect(await objectsOf('new.sif')).toMatchObject([
      { type: 'Signature', hashType: 'SHA-384', entity, link: { group: 1 } },
      { type: 'SBOM', format: 'github-json', link: { object: 1 }, name: 'what is in it' },
    ]);
  });

  it('takes flags behind the files, too', async () => {
    await world.ok(['sif', 'add', 'new.sif', 'data', '--datatype', '7', '--groupid=3']);
    expect(await objectsOf('new.sif')).toMatchObject([{ group: 3 }]);
  });

  it.each([
    [[], '--datatype flag is required'],
    [['--datatype', '12'], 'Expected a whole number from 1 to 11'],
    [
      ['--datatype', '4', '--partfs', '1', '--parttype', '2'],
      '--partfs, --parttype and --partarch must be passed',
    ],
    [['--datatype', '4', '--partfs', '1', '--parttype', '2', '--partarch', 'sparc'], 'unknown architecture'],
    [['--datatype', '4', '--partfs', '1', '--parttype', '2', '--partarch', '14'], 'unknown architecture'],
    [['--datatype', '5', '--signentity', 'a'.repeat(40)], 'invalid hash type'],
    [['--datatype', '5', '--signhash', '1', '--signentity', 'abc'], 'invalid signing entity fingerprint'],
    [['--datatype', '9'], '--sbomformat must be passed'],
    [['--datatype', '9', '--sbomformat', 'xml'], 'invalid SBOM format'],
    [['--datatype', '7', '--link', '2147483648'], 'invalid link'],
    [['--datatype', '7', '--groupid', '268435456'], 'invalid group ID'],
    [['--datatype', '7', '--filename', 'x'.repeat(129)], 'name value too large'],
  ])('%j fails with 1 and changes nothing', async (flags, message) => {
    const before = await readFile(world.path('new.sif'));
    const { status, stderr } = await add(...flags);
    expect([status, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect((await readFile(world.path('new.sif'))).equals(before)).toBe(true);
  });

  it('refuses a second root file system, a file that is not there, a full table', async () => {
    const partition = ['--datatype', '4', '--partfs', '1', '--parttype', '2', '--partarch', '2'];
    await add(...partition);
    expect((await add(...partition)).stderr).toContain('image already contains a primary partition');
    const missing = await world.run(['sif', 'add', '--datatype', '7', 'new.sif', 'nothing']);
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('nothing')]);
    for (let count = 1; count < 48; count += 1) await add('--datatype', '7');
    const full = await add('--datatype', '7');
    expect([full.status, full.stderr]).toEqual([
      1,
      expect.stringContaining('insufficient descriptor capacity'),
    ]);
  });
});

describe('a change of something that is signed', () => {
  it('is made, and told', async () => {
    const added = await world.ok(['sif', 'add', '--datatype', '7', '--groupid', '1', 'signed.sif', 'data']);
    expect(added.stderr).toContain('signature 4 no longer verifies');
    const deleted = await world.ok(['sif', 'del', '5', 'signed.sif']);
    expect(deleted.stderr).toContain('signature 4 no longer verifies');
    expect((await world.ok(['sif', 'del', '4', 'signed.sif'])).stderr).toBe('');
    expect(
      (await world.ok(['sif', 'add', '--datatype', '7', '--groupid', '2', 'signed.sif', 'data'])).stderr,
    ).toBe('');
  });
});

describe('sif del', () => {
  it('leaves the bytes of the object, unless it is told otherwise', async () => {
    await world.ok(['sif', 'new', 'new.sif']);
    await world.ok(['sif', 'add', '--datatype', '7', 'new.sif', 'data']);
    await copyFile(world.path('new.sif'), world.path('other.sif'));
    await world.ok(['sif', 'del', '1', 'new.sif']);
    await world.ok(['sif', 'del', '1', 'other.sif', '--zero', '--compact']);
    expect(await objectsOf('new.sif')).toEqual([]);
    expect((await readFile(world.path('new.sif'), 'latin1')).includes('hello')).toBe(true);
    expect((await readFile(world.path('other.sif'), 'latin1')).includes('hello')).toBe(false);
    expect((await stat(world.path('other.sif'))).size).toBe(32176);
  });

  it.each([
    ['99', 'object not found'],
    ['0', 'invalid object ID'],
  ])('%s fails with 1', async (id, message) => {
    const { status, stderr } = await world.run(['sif', 'del', id, 'signed.sif']);
    expect([status, stderr]).toEqual([1, expect.stringContaining(message)]);
  });
});

describe('sif setprim', () => {
  it('makes another partition the root file system', async () => {
    const flags = [
      '--datatype',
      '4',
      '--partfs',
      '1',
      '--parttype',
      '1',
      '--partarch',
      '4',
      '--groupid',
      '2',
    ];
    await world.ok(['sif', 'add', ...flags, 'signed.sif', 'data']);
    const { stderr } = await world.ok(['sif', 'setprim', '5', 'signed.sif']);
    expect(stderr).toContain('signature 4 no longer verifies');
    expect((await objectsOf('signed.sif')).flatMap(({ partitionType }) => partitionType ?? [])).toEqual([
      'System',
      'Primary',
    ]);
    expect((await world.ok(['sif', 'setprim', '5', 'signed.sif'])).stderr).toBe('');
  });

  it.each([
    ['1', 'data object not a partition'],
    ['9', 'object not found'],
  ])('%s fails with 1', async (id, message) => {
    const { status, stderr } = await world.run(['sif', 'setprim', id, 'signed.sif']);
    expect([status, stderr]).toEqual([1, expect.stringContaining(message)]);
  });
});

describe('encrypted images', () => {
  it.each([
    ['encrypted-gocryptfs-passphrase.sif', 'Gocryptfs squashfs'],
    ['encrypted-gocryptfs-pem.sif', 'Gocryptfs squashfs'],
  ])('%s is recognised', async (name, fileSystem) => {
    await copyFile(join(SIF_FIXTURES, 'encrypted', name), world.path('image.sif'));
    const { stdout } = await world.ok(['sif', 'list', 'image.sif']);
    expect(stdout).toContain(`FS (${fileSystem}/*System/amd64)`);
    expect((await objectsOf('image.sif')).find(({ type }) => type === 'FS')).toMatchObject({
      fileSystem,
      encrypted: true,
    });
  });

  it('show the key that a certificate unwraps', async () => {
    await copyFile(join(SIF_FIXTURES, 'encrypted/encrypted-gocryptfs-pem.sif'), world.path('image.sif'));
    const { stdout } = await world.ok(['sif', 'info', '4', 'image.sif', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      object: { type: 'Cryptographic Message', format: 'PEM', message: 'RSA-OAEP', link: { object: 3 } },
    });
  });
});
