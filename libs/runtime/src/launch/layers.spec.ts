import { describe, expect, it } from 'vitest';
import type { OpenedImage } from '../host.js';
import type { LaunchPlan, MountImage } from '../plan.js';
import { baseHost, overlayImages } from '../testing/fakeHost.js';
import type { FakeHost } from '../testing/fakeHost.js';
import { launch, planOf, root, warnings } from '../testing/launches.js';
import type { Change } from '../testing/launches.js';

const base = baseHost();
const images = { ...base.images, ...overlayImages() };
const programs: FakeHost['files'] = {
  '/bin/fuse2fs': { content: 'elf' },
  '/usr/bin/fuse-overlayfs': { content: 'elf' },
};
const host = { images, files: { ...base.files, ...programs } };
const ofAlice = { type: 'file', mode: 0o644, uid: 1000, gid: 0, size: 0, device: '1', inode: '1' } as const;
const overlayPart = {
  fileSystem: 'ext3',
  offset: 4096,
  size: 8192,
  architecture: null,
  id: 2,
  kind: 'overlay',
} as const;
const wanted = (path: string, readOnly = false) => ({ path, readOnly });
const change = (overlays: readonly ReturnType<typeof wanted>[], more: Change = {}): Change => ({
  ...more,
  host: { ...host, ...more.host },
  options: { overlays, ...more.options },
});
const overlayOf = (plan: LaunchPlan) => plan.steps.findLast((step) => step.kind === 'mount_overlay');
const mounted = (plan: LaunchPlan): readonly MountImage[] =>
  plan.steps.filter((step): step is MountImage => step.kind === 'mount_image').slice(1);
const withImage = (path: string, image: Partial<OpenedImage>) => ({
  images: { ...images, [path]: { ...images[path], ...image } as OpenedImage },
});

describe('layers', () => {
  it('later overlays lie over earlier ones, and mount points over all of them', () => {
    const plan = planOf(change([wanted('/more.sqfs'), wanted('/layer', true), wanted('/o.img', true)]));
    expect(mounted(plan).map(({ image, at }) => [image.path, at])).toEqual([
      ['/more.sqfs', 'images/0'],
      ['/layer', 'images/1'],
      ['/o.img', 'images/2'],
    ]);
    expect(overlayOf(plan)).toMatchObject({
      lower: ['lower', 'layers/2', 'layers/1', 'images/0', 'rootfs'],
      upper: null,
      userXattr: true,
    });
    expect(mounted(plan).every(({ flags }) => flags.readOnly && flags.nosuid && flags.nodev)).toBe(true);
  });

  it('the writable one is on top wherever it stands', () => {
    const plan = planOf(change([wanted('/layer'), wanted('/more.sqfs')]));
    expect(overlayOf(plan)).toMatchObject({
      lower: ['lower', 'images/0', 'rootfs'],
      upper: { directory: 'images/1/upper', work: 'images/1/work' },
      by: null,
    });
    expect(mounted(plan).map(({ flags }) => flags.readOnly)).toEqual([true, false]);
  });

  it('account files and mount points are looked for in the layers, too', () => {
    const plan = planOf(change([wanted('/layer')]));
    const looked = plan.steps.flatMap((step) => ('rootfs' in step ? [[step.kind, step.rootfs]] : []));
    expect(looked).toEqual([
      ['stage_accounts', 'merged'],
      ['prepare_targets', 'merged'],
      ['prepare_targets', 'root'],
    ]);
  });

  it.each([
    ['of a user', {}, 'program'],
    ['of root, started by a user', withImage('/o.img', { status: { ...ofAlice, uid: 0 } }), 'program'],
    ['of a user, started by root', root, 'program'],
    [
      'of root that its group can write, started by root',
      {
        ...root,
        ...withImage('/o.img', { status: { ...ofAlice, uid: 0, mode: 0o664 } }),
      },
      'program',
    ],
    [
      'of root, started by root',
      {
        ...root,
        ...withImage('/o.img', { status: { ...ofAlice, uid: 0, mode: 0o644 } }),
      },
      'loop',
    ],
  ] as const)('S14 an ext3 %s', (_, more, kind) => {
    const plan = planOf(change([wanted('/o.img')], { host: more }));
    expect(mounted(plan)[0]?.backends.map((backend) => backend.kind)).toEqual([kind]);
    expect(overlayOf(plan)?.by).toEqual(
      kind === 'loop' ? null : { program: '/usr/bin/fuse-overlayfs', allowOther: 'identity' in more },
    );
  });

  it('S14 "allow kernel extfs = no" keeps the kernel out for root, too', () => {
    const status = { ...ofAlice, uid: 0, mode: 0o644 };
    const plan = planOf(
      change([wanted('/o.img')], {
        host: { ...root, ...withImage('/o.img', { status }) },
        configuration: { kernelExtfs: false },
      }),
    );
    expect(mounted(plan)[0]?.backends.map(({ kind }) => kind)).toEqual(['program']);
  });

  it.each([
    [
      'two writable overlays',
      change([wanted('/layer'), wanted('/o.img')]),
      'only one overlay can be writable',
    ],
    [
      '--writable with an overlay',
      change([wanted('/layer', true)], {
        options: { overlays: [wanted('/layer', true)], writable: 'image' },
      }),
      '--writable and --overlay exclude each other',
    ],
    [
      'overlays that are switched off',
      change([wanted('/layer')], { configuration: { overlay: 'no' } }),
      'enable overlay = no',
    ],
    ['an overlay that is not there', change([wanted('/nope')]), 'could not open overlay /nope'],
    [
      'a SIF without overlay partition',
      change([wanted('/img.sif')]),
      'no overlay partition found in /img.sif',
    ],
    [
      'directories that are switched off',
      change([wanted('/layer')], {
        configuration: { allowDirectory: false },
        options: { image: '/img.sif', overlays: [wanted('/layer')] },
      }),
      'using a directory as overlay',
    ],
    [
      'an ext3 without its server',
      change([wanted('/o.img', true)], { host: { files: base.files } }),
      'needs the program fuse2fs',
    ],
    [
      'a writable ext3 without what lays it over the image',
      change([wanted('/o.img')], { host: { files: { ...base.files, '/bin/fuse2fs': { content: 'elf' } } } }),
      'needs the program fuse-overlayfs',
    ],
    [
      'an ext3 without FUSE',
      change([wanted('/o.img')], { host: { fuse: false } }),
      '/dev/fuse, which is not open',
    ],
    [
      'a partition that is broken',
      change([wanted('/overlay.sif')], {
        host: withImage('/overlay.sif', {
          others: [{ ...overlayPart, problem: 'it lies beyond the file' }],
        }),
      }),
      'could not use partition 2 of /overlay.sif: it lies beyond the file',
    ],
  ] as const)('refuses %s with 255', (_, one, message) => {
    expect(() => launch(one)).toThrow(expect.objectContaining({ exitCode: 255 }));
    expect(() => launch(one)).toThrow(message);
  });

  it('without fuse-overlayfs an ext3 can be read', () => {
    const files = { ...base.files, '/bin/fuse2fs': { content: 'elf' } } as const;
    expect(overlayOf(planOf(change([wanted('/o.img', true)], { host: { files } })))?.by).toBeNull();
  });

  it('T082 --writable-tmpfs gives way to a writable overlay, with a warning; a read one leaves it as it is', () => {
    const options = { writable: 'tmpfs' } as const;
    const given = launch(
      change([wanted('/layer')], { options: { overlays: [wanted('/layer')], ...options } }),
    );
    expect(warnings(given)).toEqual([
      'Disabling --writable-tmpfs: what is written goes to the overlay /layer',
    ]);
    const read = launch(change([], { options: { overlays: [wanted('/layer', true)], ...options } }));
    expect(warnings(read)).toEqual([]);
    expect(overlayOf(read.plan)?.upper).toEqual({ directory: 'upper', work: 'work' });
  });

  it('the overlay partition of the image is read, and written with --writable', () => {
    const options = { image: '/overlay.sif' };
    const read = planOf(change([], { options }));
    expect(overlayOf(read)).toMatchObject({ lower: ['lower', 'layers/0', 'rootfs'], upper: null });
    const written = planOf(change([], { options: { ...options, writable: 'image' } }));
    expect(overlayOf(written)?.upper).toEqual({ directory: 'images/0/upper', work: 'images/0/work' });
    expect(written.root).toBe('root');
    expect(written.steps.find((step) => step.kind === 'mount_image')?.flags.readOnly).toBe(true);
  });

  it('a partition is mounted once for all binds out of it', () => {
    const bind = (destination: string, path: string) => ({
      source: '/more.sqfs',
      destination,
      readOnly: false,
      image: { path, object: null },
    });
    const plan = planOf(change([], { options: { binds: [bind('/a', '/x'), bind('/b', '/y')] } }));
    expect(plan.steps.filter((step) => step.kind === 'mount_image')).toHaveLength(2);
    expect(plan.steps.filter((step) => step.kind === 'bind' && step.source.kind === 'image')).toMatchObject([
      { source: { at: 'data/0', path: '/x' }, flags: { readOnly: true } },
      { source: { at: 'data/0', path: '/y' }, flags: { readOnly: true } },
    ]);
  });
});
