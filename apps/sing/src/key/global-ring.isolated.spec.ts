import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SIF_FIXTURES, sifFixture } from '../../../../test/support/sif-fixtures.js';
import { installed } from '../testing/installed.js';
import { World } from '../testing/world.js';

vi.mock('../installation.js', async () => (await import('../testing/installed.js')).ofTest);

const A = '1F4F38EC5FDB2A627E9237FEA4E241FB667D1318';
const PUBLIC = `${SIF_FIXTURES}/keys/test-key-a.pub.asc`;

let world: World;
beforeEach(async () => {
  world = await World.create();
  installed.folder = world.folder;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

const as = (uid: number) => vi.spyOn(process as { geteuid: () => number }, 'geteuid').mockReturnValue(uid);
const ring = () => world.path('etc/singularity/global-pgp-public');

describe('the keys that all users trust', () => {
  it('are put there by root, are read by everybody, and are asked first', async () => {
    as(0);
    await world.ok(['key', 'import', '--global', PUBLIC]);
    expect((await stat(ring())).mode & 0o777).toBe(0o644);
    expect((await stat(world.path('etc/singularity'))).mode & 0o005).toBe(0o005);
    as(1000);
    expect((await world.ok(['key', 'list', '-g'])).stdout).toContain(`(${ring()})`);
    expect(JSON.parse((await world.ok(['key', 'list', '-g', '--json'])).stdout)).toMatchObject({
      keys: [{ fingerprint: A, secret: false }],
    });
    expect((await world.ok(['key', 'list'])).stdout).not.toContain(A);
    await writeFile(world.path('image.sif'), sifFixture('images/signed.sif'));
    expect((await world.ok(['verify', '--local', 'image.sif'])).stdout).toContain('[GLOBAL]');
    await world.ok(['key', 'export', '-g', '-a', 'a.asc']);
    expect(await readFile(world.path('a.asc'), 'utf8')).toContain('BEGIN PGP PUBLIC KEY BLOCK');
    as(0);
    await world.ok(['key', 'remove', '-g', A]);
    expect((await world.ok(['key', 'list', '-g'])).stderr).toContain('no key yet that all users trust');
  });

  it('come from a key server, too', async () => {
    as(0);
    const armored = await readFile(PUBLIC, 'utf8');
    const url = await world.serve((_request, response) => response.end(armored));
    await world.ok(['key', 'pull', '--global', '--url', url, A]);
    expect((await world.ok(['key', 'list', '-g'])).stdout).toContain(A);
    expect((await world.ok(['key', 'list'])).stdout).not.toContain(A);
  });

  it.each([
    ['import', '-g', PUBLIC],
    ['pull', '-g', '--url', 'http://127.0.0.1:1', A],
    ['remove', '-g', A],
  ])('are changed by nobody else: key %s', async (...words) => {
    as(1000);
    const { status, stderr } = await world.run(['key', ...words]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('Only root may')]);
  });

  it('hold no private key', async () => {
    as(0);
    const secret = `${SIF_FIXTURES}/keys/test-key-a.SECRET-test-only.asc`;
    const { status, stderr } = await world.run(['key', 'import', '-g', secret]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('A private key is not for all users')]);
    expect((await world.ok(['key', 'list', '-g', '--json'])).stdout).toContain('"keys": []');
    for (const words of [
      ['list', '-g', '-s'],
      ['export', '-g', '-s', 'x'],
      ['remove', '-g', '-b', A],
      ['newpair', '-g'],
    ])
      expect((await world.run(['key', ...words])).status).toBe(1);
  });

  it('are not believed when others may write to the file', async () => {
    await mkdir(world.path('etc/singularity'), { recursive: true });
    await writeFile(ring(), '');
    await chmod(ring(), 0o666);
    as(0);
    for (const words of [
      ['list', '-g'],
      ['import', '-g', PUBLIC],
    ]) {
      const { status, stderr } = await world.run(['key', ...words]);
      expect(status).not.toBe(0);
      expect(stderr).toContain('must not be writable by group or others');
    }
  });
});
