import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addObject, createSif, DataType, FileAccess, FileSystem, PartitionType } from '#libs/sif';
import { systemClock } from '#libs/core';
import { World } from '../testing/world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
  await mkdir(world.path('root/.singularity.d/env'), { recursive: true });
  const files = {
    'labels.json': '{"org.example.name":"hello"}',
    runscript: '#!/bin/sh\necho run\n',
    'runscript.help': 'How to use it\n',
    Singularity: 'bootstrap: scratch\n',
    'env/90-environment.sh': 'export A=1\n',
    'env/01-base.sh': 'ours\n',
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(world.path('root/.singularity.d', name), text);
  }
});
afterEach(() => world.close());

const makeSquashfs = () =>
  execFileSync('mksquashfs', [world.path('root'), world.path('root.squashfs'), '-noappend', '-quiet'], {
    stdio: 'ignore',
  });

async function makeSif(metadata?: string): Promise<void> {
  makeSquashfs();
  const access = await FileAccess.open(world.path('image.sif'), 'create');
  const rootfs = await FileAccess.open(world.path('root.squashfs'), 'read');
  await createSif(access, { clock: systemClock, objects: [] });
  if (metadata !== undefined) {
    const input = { type: DataType.json, name: 'inspect-metadata.json', data: Buffer.from(metadata) };
    await addObject(access, input, { clock: systemClock });
  }
  await addObject(
    access,
    {
      type: DataType.partition,
      data: rootfs,
      extra: {
        kind: 'partition',
        partition: { fileSystem: FileSystem.squashfs, type: PartitionType.primary, architecture: 'amd64' },
      },
    },
    { clock: systemClock },
  );
  await rootfs.close();
  await access.close();
}

const METADATA = JSON.stringify({
  data: {
    attributes: {
      labels: { 'org.example.name': 'from the object' },
      apps: { tool: { runscript: 'app run' } },
      deffile: 'bootstrap: scratch',
    },
  },
  type: 'container',
});

describe('inspect', () => {
  it.each([
    ['a folder', 'root', async () => undefined],
    ['a squashfs file', 'root.squashfs', async () => void makeSquashfs()],
    ['a SIF file without metadata', 'image.sif', () => makeSif()],
  ])('reads %s', async (_name, image, make) => {
    await make();
    expect((await world.ok(['inspect', image])).stdout).toBe('org.example.name: hello\n');
    expect((await world.ok(['inspect', '--runscript', image])).stdout).toBe('#!/bin/sh\necho run\n');
    expect((await world.ok(['inspect', '-H', image])).stdout).toBe('How to use it\n');
    expect((await world.ok(['inspect', '-d', image])).stdout).toBe('bootstrap: scratch\n');
    const { stdout } = await world.ok(['inspect', '--json', '--environment', image]);
    expect(JSON.parse(stdout)).toEqual({
      data: { attributes: { environment: { '/.singularity.d/env/90-environment.sh': 'export A=1' } } },
      type: 'container',
    });
  });

  it('prefers the metadata object of a SIF file', async () => {
    await makeSif(METADATA);
    expect((await world.ok(['inspect', 'image.sif'])).stdout).toBe('org.example.name: from the object\n');
    expect((await world.ok(['inspect', '--list-apps', 'image.sif'])).stdout).toBe('tool\n');
    expect((await world.ok(['inspect', '--app', 'tool', '-r', 'image.sif'])).stdout).toBe('app run\n');
    const missing = await world.run(['inspect', '--app', 'other', 'image.sif']);
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('Could not locate')]);
    expect(JSON.parse((await world.ok(['inspect', '--all', 'image.sif'])).stdout)).toEqual(
      JSON.parse(METADATA),
    );
  });

  it('says what an image does not have', async () => {
    const { stdout, stderr } = await world.ok(['inspect', '--test', 'root']);
    expect([stdout, stderr]).toEqual(['', 'INFO:    No test was found in this image\n']);
  });

  it('follows no link out of a folder', async () => {
    await writeFile(world.path('secret'), '{"secret":"of the host"}');
    execFileSync('rm', [world.path('root/.singularity.d/labels.json')]);
    await symlink(world.path('secret'), world.path('root/.singularity.d/labels.json'));
    expect((await world.ok(['inspect', 'root'])).stdout).toBe('');
  });

  it.each([
    ['no JSON', '{'],
    ['another shape', '{"data":{"attributes":{"labels":5}},"type":"container"}'],
  ])('refuses metadata that is %s', async (_name, metadata) => {
    await makeSif(metadata);
    const { status, stderr } = await world.run(['inspect', 'image.sif']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('The metadata in the image')]);
  });
});
