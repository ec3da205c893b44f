import { describe, expect, it } from 'vitest';
import type { OpenedImage } from '../host.js';
import {
  base,
  bindAt,
  files,
  identity,
  kinds,
  launch,
  planOf,
  root,
  targets,
  warnings,
} from '../testing/launches.js';
import type { FakeHost } from '../testing/fakeHost.js';
import type { Change } from '../testing/launches.js';

describe('order of a launch', () => {
  it('is image, accounts, mount points, overlay, then the mounts of the contract', () => {
    const plan = planOf({ options: { binds: [{ source: '/data', destination: '/d', readOnly: false }] } });
    expect(kinds(plan).slice(0, 8)).toEqual([
      'make_directory',
      'make_directory',
      'mount_image',
      'stage_accounts',
      'make_directory',
      'make_directory',
      'prepare_targets',
      'mount_overlay',
    ]);
    expect(targets(plan)).toEqual([
      '/dev',
      '/etc/localtime',
      '/etc/hosts',
      '/proc',
      '/sys',
      '/home/alice',
      '/tmp',
      '/var/tmp',
      '/etc/passwd',
      '/etc/group',
      '/etc/resolv.conf',
      '/d',
      '/home/alice/work',
    ]);
  });

  it('prepares every mount point that no earlier mount hides, with its type', () => {
    const plan = planOf({
      options: {
        binds: [
          { source: '/data/file', destination: '/new/file', readOnly: false },
          { source: '/data', destination: '/tmp/hidden', readOnly: false },
        ],
      },
    });
    const step = plan.steps.find((one) => one.kind === 'prepare_targets');
    expect(step?.targets.slice(-2)).toEqual([
      { path: '/etc/resolv.conf', type: 'file' },
      { path: '/new/file', type: 'file' },
    ]);
  });

  it('binds everything of the host nosuid and nodev, except the devices', () => {
    const binds = planOf().steps.filter((step) => step.kind === 'bind');
    const loose = binds.filter(({ flags }) => !flags.nosuid || !flags.nodev);
    expect(loose.map(({ target }) => target.path)).toEqual(['/dev']);
  });
});

describe('privileges', () => {
  it('of a user: a user namespace with the own id, no capability, no_new_privs', () => {
    const plan = planOf();
    expect(plan.namespaces.user).toMatchObject({
      uidMap: [{ inside: 1000, outside: 1000, count: 1 }],
      setgroups: 'deny',
      writtenBy: { kind: 'self' },
    });
    expect(plan.credentials).toEqual({ identity: null, capabilities: 'none', noNewPrivileges: true });
  });

  it.each([
    ['by default', {}, {}, 'all', false],
    ['with --no-privs', { privileges: 'none' }, {}, 'none', true],
    ['when configured', {}, { rootCapabilities: 'no' }, 'none', true],
    [
      'with --keep-privs, whatever is configured',
      { privileges: 'keep' },
      { rootCapabilities: 'no' },
      'all',
      false,
    ],
  ] as const)('of root %s', (_, options, configuration, capabilities, noNewPrivileges) => {
    const plan = planOf({ host: root, options, configuration });
    expect(plan.namespaces.user).toBeNull();
    expect(plan.credentials).toEqual({ identity: null, capabilities, noNewPrivileges });
    expect(plan.session.sizeLimit).toBeNull();
  });

  it('of root with --userns are those of a user', () => {
    const plan = planOf({ host: root, options: { userNamespace: true } });
    expect(plan.namespaces.user?.uidMap).toEqual([{ inside: 0, outside: 0, count: 1 }]);
    expect(plan.credentials.capabilities).toBe('none');
  });

  it.each([
    ['without CAP_SYS_ADMIN', { systemAdmin: false }],
    ['inside a user namespace', { initialUserNamespace: false }],
  ])('of root %s are those of a user', (_, change) => {
    const plan = planOf({ host: identity({ uid: 0, effectiveUid: 0, systemAdmin: true, ...change }) });
    expect(plan.namespaces.user).not.toBeNull();
    expect(plan.credentials.noNewPrivileges).toBe(true);
  });

  it('--keep-privs is refused to a user', () => {
    expect(() => launch({ options: { privileges: 'keep' } })).toThrow('requires root privileges');
  });

  it('user namespaces can be forbidden', () => {
    expect(() => launch({ configuration: { allowUserNamespace: false } })).toThrow('allow user ns');
    expect(() => launch({ host: root, configuration: { allowUserNamespace: false } })).not.toThrow();
  });
});

describe('fakeroot', () => {
  const subids = files({
    '/etc/subuid': { content: 'alice:100000:65536\n' },
    '/etc/subgid': { content: '1000:200000:65536\n' },
    '/usr/bin/newuidmap': { content: '' },
    '/usr/bin/newgidmap': { content: '' },
  });
  const fakeroot = { fakeroot: true };

  it('maps root to the caller and 65536 sub-ids', () => {
    const plan = planOf({ options: fakeroot, host: subids });
    expect(plan.namespaces.user).toMatchObject({
      uidMap: [
        { inside: 0, outside: 1000, count: 1 },
        { inside: 1, outside: 100000, count: 65536 },
      ],
      gidMap: [
        { inside: 0, outside: 1000, count: 1 },
        { inside: 1, outside: 200000, count: 65536 },
      ],
      setgroups: 'allow',
      writtenBy: { kind: 'programs', newuidmap: '/usr/bin/newuidmap', newgidmap: '/usr/bin/newgidmap' },
    });
    expect(plan.credentials).toMatchObject({ capabilities: 'all', noNewPrivileges: true });
    expect(bindAt(plan, '/root').source).toEqual({ kind: 'host', path: '/home/alice' });
  });

  it('without sub-ids has only root, and says how to get more', () => {
    const planned = launch({ options: fakeroot });
    expect(planned.plan.namespaces.user?.uidMap).toEqual([{ inside: 0, outside: 1000, count: 1 }]);
    expect(warnings(planned)[0]).toContain('sing config fakeroot --add alice');
  });

  it.each([
    ['only a small range', { '/etc/subuid': { content: 'alice:1:1000' } }, '65536'],
    ['disabled', { '/etc/subuid': { content: '!alice:1:65536' } }, 'disabled by the administrator'],
    ['in one file only', { '/etc/subgid': { content: '' } }, 'no mapping entry found in /etc/subgid'],
    ['no newuidmap', { '/usr/bin/newuidmap': { content: '' } }, undefined],
  ])('with %s is refused', (_, change, message) => {
    const host = files({ ...subids.files, ...change });
    if (message === undefined) delete (host.files as Record<string, unknown>)['/usr/bin/newuidmap'];
    expect(() => launch({ options: fakeroot, host })).toThrow(
      message ?? 'newuidmap and newgidmap are needed',
    );
  });

  it('of root needs an entry, and writes the maps itself', () => {
    expect(() => launch({ options: fakeroot, host: root })).toThrow('no mapping entry found');
    const host = {
      ...root,
      ...files({ '/etc/subuid': { content: 'root:7:65536' }, '/etc/subgid': { content: 'root:7:65536' } }),
    };
    expect(planOf({ options: fakeroot, host }).namespaces.user?.writtenBy).toEqual({ kind: 'parent' });
  });
});

describe('image', () => {
  const sif = base.images['/img.sif'] as OpenedImage;
  const withImage = (change: Partial<OpenedImage>): Change => ({
    options: { image: '/img.sif' },
    host: { images: { '/img.sif': { ...sif, ...change } } },
  });
  const partition = (change: object): Change =>
    withImage({
      partition: { fileSystem: 'squashfs', offset: 1, size: 2, architecture: 'amd64', ...change },
    });
  const backends = (change: Change): readonly string[] => {
    const step = planOf({ ...change, options: { image: '/img.sif', ...change.options } }).steps.find(
      (one) => one.kind === 'mount_image',
    );
    return step?.backends.map(({ kind }) => kind) ?? [];
  };

  it.each([
    ['a user', {}, ['shared', 'fuse', 'unpacked', 'extract']],
    ['a user without the cache', { options: { useCache: false } }, ['shared', 'fuse', 'extract']],
    ['a user where none is kept', { configuration: { unpackedCacheSize: 0 } }, ['shared', 'fuse', 'extract']],
    ['root', { host: root }, ['loop', 'fuse', 'extract']],
    [
      'root without the kernel driver',
      { host: root, configuration: { kernelSquashfs: false } },
      ['fuse', 'extract'],
    ],
    ['a user without FUSE', { host: { fuse: false } }, ['unpacked', 'extract']],
    ['a user without FUSE and cache', { host: { fuse: false }, options: { useCache: false } }, ['extract']],
    ['a user where extraction is forbidden', { configuration: { extraction: false } }, ['shared', 'fuse']],
    [
      'a user where nothing is shared',
      { configuration: { imageServerIdle: 0 } },
      ['fuse', 'unpacked', 'extract'],
    ],
    ['a user with --fakeroot', { options: { fakeroot: true } }, ['fuse', 'extract']],
  ] as const)('of %s is mounted by what is there', (_, change, expected) => {
    expect(backends(change)).toEqual(expected);
  });

  it.each([
    [[], '/home/alice/.singularity/cache/rootfs'],
    [['SINGULARITY_CONFIGDIR=/conf'], '/conf/cache/rootfs'],
    [['SINGULARITY_CONFIGDIR=/conf', 'SINGULARITY_CACHEDIR=/big'], '/big/cache/rootfs'],
    [['SING_CACHEDIR=/'], '/cache/rootfs'],
  ] as const)('with %j is kept unpacked in %s', (variables, directory) => {
    const environment = [...base.environment, ...variables];
    const plan = planOf({ host: { environment }, options: { image: '/img.sif' } });
    const step = plan.steps.find((one) => one.kind === 'mount_image');
    expect(step?.backends.find(({ kind }) => kind === 'unpacked')).toEqual({
      kind: 'unpacked',
      directory,
      sizeLimit: 20480 * 1024 * 1024,
    });
  });

  it.each([
    ['', {}, '/tmp/sing-1000'],
    ['', { '/run/user/1000': 0o700 }, '/run/user/1000/sing'],
    ['/xdg', { '/run/user/1000': 0o700, '/xdg': 0o700 }, '/xdg/sing'],
    ['/xdg', { '/run/user/1000': 0o700, '/xdg': 0o750 }, '/run/user/1000/sing'],
    ['xdg', { '/run/user/1000': 0o755 }, '/tmp/sing-1000'],
  ] as const)('with XDG_RUNTIME_DIR %j and folders %j is shared in %s', (named, modes, folder) => {
    const folders = Object.entries(modes).map(([path, mode]) => {
      const status = { type: 'directory', mode, uid: 1000, gid: 1000, size: 0, device: '1', inode: '2' };
      return [path, status] as const;
    });
    const host = {
      ...files(Object.fromEntries(folders) as FakeHost['files']),
      environment: [...base.environment, `XDG_RUNTIME_DIR=${named}`],
    };
    const step = planOf({ host, options: { image: '/img.sif' } }).steps.find(
      (one) => one.kind === 'mount_image',
    );
    expect(step?.backends[0]).toEqual({ kind: 'shared', folder, idleSeconds: 5 });
  });

  it('is read-only, also as root', () => {
    const step = planOf({ host: root }).steps.find((one) => one.kind === 'mount_image');
    expect(step?.flags).toEqual({ readOnly: true, nosuid: true, nodev: true, noexec: false });
  });

  it.each([
    [
      'that can be neither mounted nor unpacked',
      { ...withImage({}), configuration: { extraction: false }, host: { fuse: false } },
      'neither be mounted',
    ],
    ['of an unknown form', withImage({ type: 'unknown' }), 'image format not recognized'],
    [
      'that is broken',
      withImage({ problem: 'descriptor 1 lies beyond the file' }),
      'descriptor 1 lies beyond',
    ],
    ['without system partition', withImage({ partition: null }), 'no primary system partition'],
    [
      'that is encrypted',
      partition({ fileSystem: 'encrypted' }),
      'is encrypted: running such an image is not offered',
    ],
    ['with erofs', partition({ fileSystem: 'erofs' }), 'is not offered'],
    [
      'for another machine',
      partition({ architecture: 'arm64' }),
      "architecture (arm64) could not run on the host's (x86_64)",
    ],
    [
      'that should be writable',
      { ...withImage({}), options: { image: '/img.sif', writable: 'image' } },
      'no SIF writable overlay partition',
    ],
    [
      'that is the host',
      withImage({ type: 'directory', path: '/', partition: null }),
      '/ as sandbox is not authorized',
    ],
    [
      'of a forbidden type',
      { ...withImage({}), configuration: { allowSif: false } },
      'configuration disallows users from running SIF containers',
    ],
    [
      'that is a forbidden directory',
      { configuration: { allowDirectory: false } },
      'running sandbox containers',
    ],
    ['that is not there', { options: { image: '/nope' } }, 'could not open image /nope'],
  ] as const)('%s is refused', (_, change, message) => {
    expect(() => launch(change)).toThrow(expect.objectContaining({ exitCode: 255 }));
    expect(() => launch(change)).toThrow(message);
  });

  it('for another machine runs where an interpreter is registered', () => {
    const change = partition({ architecture: 'arm64' });
    const host = {
      ...change.host,
      ...files({ '/proc/sys/fs/binfmt_misc/qemu-aarch64': { content: 'enabled\n' } }),
    };
    expect(() => launch({ ...change, host })).not.toThrow();
  });

  it('that is writable has no layer: its own directory is the root', () => {
    const plan = planOf({ options: { writable: 'image' } });
    expect(plan.root).toBe('rootfs');
    expect(kinds(plan)).not.toContain('mount_overlay');
    expect(kinds(plan)).not.toContain('prepare_targets');
  });

  it('under a layer in memory is limited by the configured size, for root too', () => {
    for (const host of [{}, root]) {
      const plan = planOf({ host, options: { writable: 'tmpfs' }, configuration: { sessionSize: 10 } });
      expect(plan.session.sizeLimit).toBe(10 * 1024 * 1024);
      expect(plan.steps.find((one) => one.kind === 'mount_overlay')?.upper).not.toBeNull();
    }
  });

  it('under a layer in memory is refused where overlays are forbidden', () => {
    expect(() => launch({ options: { writable: 'tmpfs' }, configuration: { overlay: 'no' } })).toThrow(
      'enable overlay = no',
    );
  });
});
