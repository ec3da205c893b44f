import { createHash } from 'node:crypto';
import { appendFile, chmod, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestFromHex, type Digest } from '#libs/core';
import { Environment, Messages } from '#libs/cli';
import { World } from '../testing/world.js';
import { cachedImage, cachePath, markCached } from './store.js';

let world: World;
let warnings = '';
beforeEach(async () => {
  world = await World.create();
  warnings = '';
});
afterEach(() => world.close());

const place = () => ({
  env: new Environment(world.env, ['SING', 'SINGULARITY']),
  cwd: world.folder,
  log: new Messages({ write: (text) => (warnings += text), level: 1, colours: () => false, uid: 0, pid: 0 }),
  signal: new AbortController().signal,
});

const digestOf = (text: string): Digest => digestFromHex(createHash('sha256').update(text).digest('hex'));
const add = async (text: string) => {
  const path = await cachePath(place(), digestOf(text));
  await writeFile(path, text);
  await markCached(place(), digestOf(text));
  return path;
};

describe('the cache', () => {
  it('keeps images by digest in folders for this person alone', async () => {
    const path = await add('image');
    expect(path).toBe(world.path('.singularity/cache/library', digestOf('image')));
    expect((await stat(world.path('.singularity/cache'))).mode & 0o777).toBe(0o700);
    expect(await cachedImage(place(), digestOf('image'))).toBe(path);
    expect(await cachedImage(place(), digestOf('other'))).toBeUndefined();
  });

  it('loses loose rights when it is used (CVE-2019-19724)', async () => {
    await add('image');
    await chmod(world.path('.singularity/cache'), 0o777);
    await chmod(world.path('.singularity/cache/library'), 0o777);
    await add('other');
    for (const name of ['cache', 'cache/library'])
      expect((await stat(world.path('.singularity', name))).mode & 0o777).toBe(0o700);
  });

  it('lies where SINGULARITY_CACHEDIR says', async () => {
    world.env['SINGULARITY_CACHEDIR'] = world.path('big');
    expect(await add('image')).toBe(world.path('big/cache/library', digestOf('image')));
  });

  it('gives out no image that was damaged, also when size and time are the same', async () => {
    const path = await add('image');
    const { atime, mtime } = await stat(path);
    await appendFile(path, 'x');
    await utimes(path, atime, mtime);
    expect(await cachedImage(place(), digestOf('image'))).toBeUndefined();
    expect(warnings).toContain('is damaged');
    expect(await readdir(world.path('.singularity/cache/library'))).toEqual([]);
  });

  it('takes an image that the stock program put there after hashing it once', async () => {
    const path = await add('image');
    await utimes(path, 1, 1);
    expect(await cachedImage(place(), digestOf('image'))).toBe(path);
  });
});

describe('cache list and clean', () => {
  it('list nothing at first', async () => {
    expect((await world.ok(['cache', 'list'])).stdout).toContain('There are 0 container file(s)');
  });

  it('list what is there and remove it when told to', async () => {
    await add('image');
    const { entries } = JSON.parse((await world.ok(['cache', 'list', '--json'])).stdout) as {
      entries: object[];
    };
    expect(entries).toMatchObject([{ name: digestOf('image'), size: 5, type: 'library' }]);

    expect((await world.ok(['cache', 'clean', '--dry-run'])).stderr).toContain('Would remove library');
    expect((await world.run(['cache', 'clean'])).stderr).toContain('Answer with --force');
    expect(await cachedImage(place(), digestOf('image'))).toBeDefined();
    expect(await readdir(world.path('.singularity/cache/verified'))).toHaveLength(1);
    await world.ok(['cache', 'clean', '--force']);
    expect(await readdir(world.path('.singularity/cache/verified'))).toEqual([]);
    expect(await cachedImage(place(), digestOf('image'))).toBeUndefined();
  });

  it('choose by kind and by age', async () => {
    const path = await add('old');
    await utimes(path, 1000, 1000);
    await add('new');
    await world.ok(['cache', 'clean', '--force', '--type', 'oras']);
    await world.ok(['cache', 'clean', '--force', '--days', '30']);
    expect(await readdir(world.path('.singularity/cache/library'))).toEqual([digestOf('new')]);
    expect((await world.run(['cache', 'clean', '--type', 'bogus'])).status).toBe(1);
  });
});
