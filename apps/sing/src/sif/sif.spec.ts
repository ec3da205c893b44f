import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
  await copyFile(join(SIF_FIXTURES, 'images/multi-object.sif'), world.path('image.sif'));
});
afterEach(() => world.close());

describe('sif', () => {
  it('list and header print what siftool prints', async () => {
    const { stdout } = await world.ok(['sif', 'list', 'image.sif']);
    expect(stdout).toMatch(/^-{78}\nID {3}\|GROUP {3}\|LINK {4}\|SIF POSITION \(start-end\)/);
    expect((await world.ok(['sif', 'header', 'image.sif'])).stdout).toContain('Descriptors Total:');
  });

  it('list and dump agree about every object', async () => {
    const { objects } = JSON.parse((await world.ok(['sif', 'list', '--json', 'image.sif'])).stdout) as {
      objects: { id: number; size: number }[];
    };
    expect(objects.length).toBeGreaterThan(2);
    for (const { id, size } of objects) {
      expect((await world.ok(['sif', 'dump', String(id), 'image.sif'])).stdoutBytes.length).toBe(size);
      expect((await world.ok(['sif', 'info', String(id), 'image.sif'])).stdout).toContain(`  ID:`);
    }
  });

  it.each([
    [['dump', '99', 'image.sif'], 'object not found'],
    [['dump', 'x', 'image.sif'], 'invalid object ID: Expected a number above 0\n'],
    [['list', 'junk'], 'invalid SIF magic'],
    [['list', 'none'], 'none'],
  ])('%j fails with 1', async (words, message) => {
    await writeFile(world.path('junk'), 'x'.repeat(5000));
    const { status, stderr, stdout } = await world.run(['sif', ...words]);
    expect(stderr).toContain(message);
    expect([status, stdout]).toEqual([1, '']);
  });
});
