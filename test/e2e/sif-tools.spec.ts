import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ManualClock } from '#libs/core';
import { armorKey, generateKey, publicPart, readKeys, unlockKey } from '#libs/pgp';
import {
  addObject,
  assembleImage,
  DataType,
  deleteObject,
  FileAccess,
  MemoryAccess,
  openObject,
  readObject,
  readSif,
  updateSifFile,
  withSifFile,
} from '#libs/sif';
import { pgpSigner, signImage, verifyImage } from '#libs/signing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World } from '../../apps/sing/src/testing/world.js';
import { siftool } from '../support/go-tools.js';
import { lacking, skipped } from '../support/needs.js';
import { SIF_FIXTURES, siftoolTexts } from '../support/sif-fixtures.js';

const run = promisify(execFile);
const clock = new ManualClock(new Date());
const noTool = lacking('go', 'flock');
const noGpg = lacking('gpg');

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-sif-'));
  if (noTool === undefined) program = await siftool();
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const tool = async (...args: string[]) =>
  (await run(program, args, { encoding: 'latin1', maxBuffer: 64 * 1024 * 1024 })).stdout;
const copyOf = async (name: string): Promise<string> => {
  const path = join(folder, name.replace('/', '-'));
  await copyFile(join(SIF_FIXTURES, name), path);
  return path;
};

/** An image without what is different each time: UUID and times. */
function timeless(image: Buffer): Buffer {
  const bytes = Buffer.from(image).fill(0, 48, 80);
  for (let slot = 0; slot < 48; slot += 1) bytes.fill(0, 4096 + slot * 585 + 41, 4096 + slot * 585 + 57);
  return bytes;
}

describe.skipIf(noTool)(`siftool${skipped(noTool)}`, () => {
  it('still prints what our golden texts say', async () => {
    for (const [name, texts] of siftoolTexts().filter(([name]) => name.startsWith('images/'))) {
      const path = join(SIF_FIXTURES, name);
      expect(await tool('list', path)).toBe(texts.list);
      expect(await tool('header', path)).toBe(texts.header);
    }
  });

  it('reads an image that we assembled, signed and changed', async () => {
    const path = join(folder, 'ours.sif');
    const squashfs = join(folder, 'root.squashfs');
    await writeFile(squashfs, Buffer.alloc(3_000_000, 5));
    const rootfs = await FileAccess.open(squashfs, 'read');
    await assembleImage(path, {
      definition: 'bootstrap: scratch\n\n',
      metadata: { 'inspect-metadata.json': '{}' },
      rootfs,
      architecture: 'arm64',
      clock,
    });
    await rootfs.close();
    const key = await generateKey({
      name: 'Ada',
      email: 'ada@example.org',
      passphrase: '',
      algorithm: 'ed25519',
      clock,
    });
    await updateSifFile(path, (access) => signImage(access, { signer: pgpSigner({ key, clock }), clock }));
    await updateSifFile(path, (access) =>
      addObject(access, { type: DataType.generic, data: Buffer.from('more'), group: 2 }, { clock }),
    );
    expect((await tool('list', path)).split('\n').slice(3)).toEqual([
      '1    |1       |NONE    |32176-32196               |Def.FILE',
      '2    |1       |NONE    |32196-32198               |JSON.Generic',
      '3    |1       |NONE    |32768-3032768             |FS (Squashfs/*System/arm64)',
      expect.stringMatching(/^4 {4}\|NONE {4}\|1 {3}\(G\) \|3032768-\d+ +\|Signature \(SHA-256\)$/),
      expect.stringMatching(/^5 {4}\|2 {7}\|NONE {4}\|\d+-\d+ +\|Generic\/Raw$/),
      '',
    ]);
    expect(await tool('header', path)).toContain('Primary Architecture: arm64');
    expect(await tool('dump', '5', path)).toBe('more');
    expect(Buffer.from(await tool('dump', '3', path), 'latin1').equals(await readFile(squashfs))).toBe(true);
    await updateSifFile(path, (access) => deleteObject(access, 5, { clock }));
    expect((await tool('list', path)).split('\n')).toHaveLength(8);
  });

  it('makes an image that we read and sign, and our signature survives what it adds elsewhere', async () => {
    const path = join(folder, 'theirs.sif');
    const data = join(folder, 'data');
    await writeFile(data, 'from siftool');
    await tool('new', path);
    await tool('add', '--datatype', '7', '--groupid', '1', path, data);
    const secret = await readFile(join(SIF_FIXTURES, 'keys/test-key-b.SECRET-test-only.asc'));
    const [key] = await readKeys(secret);
    if (key === undefined) throw new Error('no key');
    await updateSifFile(path, (access) => signImage(access, { signer: pgpSigner({ key, clock }), clock }));
    await tool('add', '--datatype', '7', '--groupid', '2', path, data);
    const open = await publicPart(key);
    const pgp = [{ origin: 'local' as const, find: async () => [open] }];
    const verify = (groups?: number[]) =>
      withSifFile(path, (access) => verifyImage(access, { clock, pgp, ...(groups && { groups }) }));
    expect(await verify([1])).toMatchObject({ ok: true });
    expect(await verify()).toMatchObject({
      failure: { message: 'signature not found for object group 2' },
    });
    const image = await readSif(new MemoryAccess(await readFile(path)));
    const texts = await Promise.all(
      image.descriptors
        .filter((one) => one.type === DataType.generic)
        .map(async (one) => (await readObject(image, one, 100)).toString()),
    );
    expect(texts).toEqual(['from siftool', 'from siftool']);
  });

  it('makes the same bytes as `sing sif` of the same changes, but for the UUID and the times', async () => {
    const world = await World.create();
    try {
      const [ours, theirs] = [world.path('ours.sif'), world.path('theirs.sif')];
      await writeFile(world.path('data'), 'some data');
      await writeFile(world.path('root'), Buffer.alloc(5000, 7));
      const partition = (type: string, fs: string, arch: string) =>
        ['--datatype', '4', '--parttype', type, '--partfs', fs, '--partarch', arch] as const;
      const entity = '433FE984155206BD962725E20E8713472A879943';
      const changes: (readonly [verb: string, ...words: string[]])[] = [
        ['new'],
        ['add', 'data', '--datatype', '1', '--groupid', '1'],
        ['add', 'data', '--datatype', '6', '--groupid', '1', '--filename', 'a name'],
        ['add', 'root', ...partition('2', '1', '2'), '--groupid', '1'],
        ['add', 'root', ...partition('1', '4', '13'), '--groupid', '2', '--alignment', '512'],
        ['add', 'root', ...partition('4', '2', '4'), '--alignment', '0'],
        ['add', 'data', '--datatype', '5', '--signhash', '3', '--signentity', entity, '--link', '4026531841'],
        ['add', 'data', '--datatype', '8', '--link', '3', '--groupid', '268435455'],
        ['add', 'data', '--datatype', '9', '--sbomformat', 'spdx-yaml', '--alignment', '64'],
        ['add', 'data', '--datatype', '10'],
        ['add', 'data', '--datatype', '11', '--filename', 'x'.repeat(128)],
        ['setprim', '4'],
        ['del', '2'],
        ['del', '10'],
        ['add', 'data', '--datatype', '2'],
        ['del', '4'],
        ['add', 'root', ...partition('2', '3', '1')],
        ['add', 'data', '--datatype', '7'],
      ];
      for (const [verb, ...words] of changes) {
        const takesFile = verb === 'add';
        const [first = '', ...flags] = words;
        const argv = (image: string) =>
          takesFile ? [verb, ...flags, image, world.path(first)] : [verb, ...words, image];
        await tool(...argv(theirs));
        await world.ok(['sif', ...argv(ours)]);
        const [mine, others] = [timeless(await readFile(ours)), timeless(await readFile(theirs))];
        expect([verb, ...words, mine.equals(others)]).toEqual([verb, ...words, true]);
      }
    } finally {
      await world.close();
    }
  });

  it('deletes an object like we do', async () => {
    const [ours, theirs] = [await copyOf('images/multi-object.sif'), await copyOf('images/signed.sif')];
    await tool('del', '2', theirs);
    await updateSifFile(ours, (access) => deleteObject(access, 2, { clock }));
    const left = async (path: string) =>
      withSifFile(path, async (access) => {
        const image = await readSif(access);
        return image.descriptors.slice(0, 2).map((one) => [one.id, openObject(image, one).size]);
      });
    expect(await left(ours)).toEqual(await left(theirs));
  });
});

describe.skipIf(noGpg)(`gpg${skipped(noGpg)}`, () => {
  const gpg = async (...args: string[]) => {
    const home = join(folder, 'gnupg');
    return run('gpg', ['--homedir', home, '--batch', '--pinentry-mode', 'loopback', ...args]);
  };
  beforeAll(() => run('mkdir', ['-m', '700', join(folder, 'gnupg')]));
  afterAll(() => run('gpgconf', ['--homedir', join(folder, 'gnupg'), '--kill', 'all']));

  it.each(['ed25519', 'rsa2048'] as const)(
    'reads our %s keys and verifies what they sign',
    async (algorithm) => {
      const key = await generateKey({
        name: `Ada ${algorithm}`,
        email: 'ada@example.org',
        passphrase: 'words',
        algorithm,
        clock: new ManualClock(new Date()),
      });
      const [secret, message] = [join(folder, `${algorithm}.asc`), join(folder, `${algorithm}.msg`)];
      await writeFile(secret, armorKey(key), { mode: 0o600 });
      await gpg('--passphrase', 'words', '--import', secret);
      const signer = pgpSigner({ key: await unlockKey(key, 'words'), clock: new ManualClock(new Date()) });
      await writeFile(message, (await signer.sign('{"version":1}')).data);
      expect((await gpg('--status-fd', '1', '--verify', message)).stdout).toContain('[GNUPG:] GOODSIG');
    },
  );

  it('makes keys and signatures that we read', async () => {
    await gpg('--passphrase', '', '--quick-gen-key', 'Grace <grace@example.org>', 'ed25519', 'sign', 'never');
    const [key] = await readKeys((await gpg('--armor', '--export', 'grace@example.org')).stdout);
    expect(key?.key.getUserIDs()).toEqual(['Grace <grace@example.org>']);
  });
});
