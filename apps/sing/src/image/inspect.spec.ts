import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  addObject,
  createSif,
  DataType,
  FileAccess,
  FileSystem,
  LAUNCH_SCRIPT,
  PartitionType,
} from '#libs/sif';
import { SIF_FIXTURES, sifFixture } from '../../../../test/support/sif-fixtures.js';
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

function makeExt3(): void {
  const file = world.path('root.ext3');
  execFileSync('mkfs.ext3', ['-q', '-d', world.path('root'), file, '2M'], {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  });
}

async function withLaunchScript(): Promise<void> {
  makeSquashfs();
  const squashfs = await readFile(world.path('root.squashfs'));
  await writeFile(world.path('launched'), Buffer.concat([Buffer.from(LAUNCH_SCRIPT), squashfs]));
}

async function makeSif(metadata?: string, fileSystem: 'squashfs' | 'ext3' = 'squashfs'): Promise<void> {
  if (fileSystem === 'ext3') makeExt3();
  else makeSquashfs();
  const access = await FileAccess.open(world.path('image.sif'), 'create');
  const rootfs = await FileAccess.open(world.path(`root.${fileSystem}`), 'read');
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
        partition: { fileSystem: FileSystem[fileSystem], type: PartitionType.primary, architecture: 'amd64' },
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

// A program runs for every file that is read in an image: each question is a test of its own, or all of them would take half a minute
// where others want the processor, too.
describe.each<[string, string, () => Promise<void>]>([
  ['a folder', 'root', async () => undefined],
  ['a squashfs file', 'root.squashfs', async () => void makeSquashfs()],
  ['a squashfs file that begins with a launch script', 'launched', withLaunchScript],
  ['an ext3 file', 'root.ext3', async () => makeExt3()],
  ['a SIF file without metadata', 'image.sif', () => makeSif()],
  ['a SIF file with an ext3 root', 'image.sif', () => makeSif(undefined, 'ext3')],
])('inspect of %s', (_name, image, make) => {
  beforeEach(make);

  it.each([
    [[], 'org.example.name: hello\n'],
    [['--runscript'], '#!/bin/sh\necho run\n'],
    [['-H'], 'How to use it\n'],
    [['-d'], 'bootstrap: scratch\n'],
  ])('reads %j', async (flags, text) => {
    expect((await world.ok(['inspect', ...flags, image])).stdout).toBe(text);
  });

  it('reads the environment, as JSON', async () => {
    const { stdout } = await world.ok(['inspect', '--json', '--environment', image]);
    expect(JSON.parse(stdout)).toEqual({
      data: { attributes: { environment: { '/.singularity.d/env/90-environment.sh': 'export A=1' } } },
      type: 'container',
    });
  });
});

describe('inspect', () => {
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

  it('prints what is asked for in the order of the stock program, whatever the order of the flags', async () => {
    await writeFile(world.path('root/.singularity.d/test'), 'test\n');
    await writeFile(world.path('root/.singularity.d/startscript'), 'start\n');
    await mkdir(world.path('root/scif/apps/tool/scif'), { recursive: true });
    const words = ['-l', '-e', '-H', '-t', '-s', '-r', '-d', '--list-apps'];
    expect((await world.ok(['inspect', ...words, 'root'])).stdout).toBe(
      'tool\nbootstrap: scratch\n#!/bin/sh\necho run\nstart\ntest\nHow to use it\n' +
        '=== /.singularity.d/env/90-environment.sh ===\nexport A=1\n\norg.example.name: hello\n',
    );
  });

  it('prints what is asked about an app in JSON below its name, and with --all everything', async () => {
    await makeSif(METADATA);
    const json = async (...words: string[]) =>
      (
        JSON.parse((await world.ok(['inspect', ...words, 'image.sif'])).stdout) as {
          data: { attributes: object };
        }
      ).data.attributes;
    expect(await json('--json', '--app', 'tool', '-r')).toEqual({ apps: { tool: { runscript: 'app run' } } });
    expect(await json('--json', '--app', 'tool', '-d')).toEqual({
      apps: { tool: {} },
      deffile: 'bootstrap: scratch',
    });
    expect(await json('--all', '--app', 'tool')).toEqual(
      (JSON.parse(METADATA) as { data: { attributes: object } }).data.attributes,
    );
    expect((await world.ok(['inspect', '--app', 'tool', '-d', 'image.sif'])).stdout).toBe(
      'bootstrap: scratch\n',
    );
  });

  it('is run-help for the help text alone', async () => {
    expect((await world.ok(['run-help', 'root'])).stdout).toBe('How to use it\n');
    await rm(world.path('root/.singularity.d/runscript.help'));
    expect((await world.ok(['run-help', 'root'])).stdout).toBe(
      'No help sections were defined for this image\n',
    );
    const { status, stderr } = await world.run(['run-help', '--app', 'tool', 'root']);
    expect([status, stderr]).toEqual([1, expect.stringContaining('Could not locate')]);
  });

  it('shows what stands in an image as it is, and lets it steer no terminal', async () => {
    await writeFile(world.path('root/.singularity.d/runscript'), 'a\t\u001b[31mred\nb\n');
    await writeFile(world.path('root/.singularity.d/labels.json'), '{"x":"\\u001b]0;title\\u0007"}');
    expect((await world.ok(['inspect', '-r', 'root'])).stdout).toBe('a\t\u001b[31mred\nb\n');
    const shown = await world.ok(['inspect', '-r', '-l', 'root'], { terminal: true });
    expect(shown.stdout).toBe('a        \\x1b[31mred\nb\nx: \\x1b]0;title\\x07\n');
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

  describe.each<[string, () => void]>([
    ['root', () => undefined],
    ['root.squashfs', makeSquashfs],
    ['root.ext3', makeExt3],
  ])('finds apps in the files of %s', (image, make) => {
    beforeEach(async () => {
      const scif = world.path('root/scif/apps/tool/scif');
      await mkdir(join(scif, 'env'), { recursive: true });
      await writeFile(join(scif, 'runscript'), '#!/bin/sh\ntool\n');
      await writeFile(join(scif, 'labels.json'), '{"version":"1"}');
      await writeFile(join(scif, 'env/90-environment.sh'), 'export TOOL=1\n');
      await mkdir(world.path('root/scif/apps/another'), { recursive: true });
      make();
    });

    it.each([
      [['--list-apps'], 'another\ntool\n'],
      [['--app', 'tool'], 'version: 1\n'],
      [['--app', 'tool', '-r'], '#!/bin/sh\ntool\n'],
    ])('with %j', async (flags, text) => {
      expect((await world.ok(['inspect', ...flags, image])).stdout).toBe(text);
    });

    it('with --all', async () => {
      expect(JSON.parse((await world.ok(['inspect', '--all', image])).stdout)).toMatchObject({
        data: {
          attributes: {
            apps: {
              another: {},
              tool: { environment: { '/scif/apps/tool/scif/env/90-environment.sh': 'export TOOL=1' } },
            },
          },
        },
      });
    });
  });

  it('prints JSON in the order of the stock program, without what is empty', async () => {
    const { stdout } = await world.ok(['inspect', '--all', join(SIF_FIXTURES, 'images/unsigned.sif')]);
    const { data } = JSON.parse(stdout) as { data: { attributes: Record<string, Record<string, string>> } };
    expect(Object.keys(data.attributes)).toEqual([
      'environment',
      'labels',
      'runscript',
      'helpfile',
      'deffile',
      'startscript',
    ]);
    const labels = Object.keys(data.attributes['labels'] ?? {});
    expect(labels).toEqual(labels.toSorted());
    const nothing = await world.ok([
      'inspect',
      '--json',
      '--test',
      join(SIF_FIXTURES, 'images/unsigned.sif'),
    ]);
    expect(JSON.parse(nothing.stdout)).toEqual({ data: { attributes: {} }, type: 'container' });
  });

  it.each(['passphrase', 'pem'])(
    'shows what stands beside an encrypted root file system: %s',
    async (kind) => {
      const image = join(SIF_FIXTURES, `encrypted/encrypted-gocryptfs-${kind}.sif`);
      expect((await world.ok(['inspect', '--deffile', image])).stdout.toLowerCase()).toContain('bootstrap:');
      const { stdout, stderr } = await world.ok(['inspect', image]);
      expect(stdout).toContain('org.label-schema.build-arch: amd64');
      expect(stderr).toContain('INFO:    The root file system is encrypted (Gocryptfs squashfs)');
      expect(JSON.parse((await world.ok(['inspect', '--json', image])).stdout)).toMatchObject({
        type: 'container',
        encrypted: 'Gocryptfs squashfs',
      });
    },
  );

  it('says of an encrypted image without metadata what it is', async () => {
    await writeFile(world.path('luks.sif'), sifFixture('encrypted/encrypted-luks2-passphrase.sif.gz'));
    expect((await world.ok(['inspect', 'luks.sif'])).stdout).toContain('Author: test-fixture');
    await world.ok(['sif', 'del', '2', 'luks.sif']);
    const { stdout, stderr } = await world.ok(['inspect', 'luks.sif']);
    expect([stdout, stderr]).toEqual([
      '',
      expect.stringContaining('The root file system is encrypted (Encrypted squashfs)'),
    ]);
  });

  it.each(['gocryptfs-passphrase', 'gocryptfs-pem'])(
    'is told by every verb of an image: %s',
    async (kind) => {
      const image = join(SIF_FIXTURES, `encrypted/encrypted-${kind}.sif`);
      await writeFile(world.path('image.sif'), await readFile(image));
      expect((await world.ok(['sif', 'list', 'image.sif'])).stdout).toContain(
        'FS (Gocryptfs squashfs/*System/',
      );
      expect((await world.ok(['sif', 'info', '3', 'image.sif'])).stdout).toContain('Gocryptfs squashfs');
      const { stdout } = await world.ok(['sif', 'list', '--json', 'image.sif']);
      expect(JSON.parse(stdout)).toMatchObject({
        objects: expect.arrayContaining([expect.objectContaining({ encrypted: true })]) as object,
      });
      const key = ['-N', 'Ann', '-E', 'ann@example.org', '-P', '', '--algorithm', 'ed25519'];
      await world.ok(['key', 'newpair', ...key]);
      await world.ok(['sign', 'image.sif']);
      expect((await world.ok(['verify', '--local', 'image.sif'])).stderr).toContain(
        'The root file system is encrypted (Gocryptfs squashfs): it was checked as it is stored',
      );
    },
  );

  it('reads the labels of an OCI image in a SIF file', async () => {
    const index = { manifests: [{ digest: '' }] };
    const access = await FileAccess.open(world.path('oci.sif'), 'create');
    await createSif(access, { clock: systemClock, objects: [], deterministic: true });
    const add = async (type: number, value: unknown) => {
      const data = Buffer.from(JSON.stringify(value));
      await addObject(access, { type, data }, { clock: systemClock });
      return `sha256:${createHash('sha256').update(data).digest('hex')}`;
    };
    const config = await add(DataType.ociBlob, { config: { Labels: { maintainer: 'Ann' } } });
    index.manifests[0] = { digest: await add(DataType.ociBlob, { config: { digest: config } }) };
    await add(DataType.ociRootIndex, index);
    await access.close();
    expect((await world.ok(['inspect', 'oci.sif'])).stdout).toBe('maintainer: Ann\n');
    expect((await world.ok(['inspect', join(SIF_FIXTURES, 'images/oci-sif.sif')])).status).toBe(0);
  });

  it('does not believe an OCI blob that is not what its digest says', async () => {
    const image = join(SIF_FIXTURES, 'images/oci-sif.sif');
    const bytes = await readFile(image);
    const at = bytes.lastIndexOf('"schemaVersion"');
    bytes[at + 1] = 0x53;
    await writeFile(world.path('changed.sif'), bytes);
    const { status, stderr } = await world.run(['inspect', 'changed.sif']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('not what its digest says')]);
  });

  it.each([
    ['text', Buffer.from('hello')],
    ['an empty file', Buffer.alloc(0)],
  ])('refuses %s', async (_what, bytes) => {
    await writeFile(world.path('other'), bytes);
    const { status, stderr } = await world.run(['inspect', 'other']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('image format not recognized')]);
  });

  it('says what a broken SIF file is', async () => {
    const { status, stderr } = await world.run(['inspect', join(SIF_FIXTURES, 'hostile/magic-shifted.sif')]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('invalid SIF magic')]);
  });
});
