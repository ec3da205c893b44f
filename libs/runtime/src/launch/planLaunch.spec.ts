import { describe, expect, it } from 'vitest';
import { collectFacts } from '../collectFacts.js';
import { builtInConfiguration } from '../configuration/configuration.js';
import type { Configuration } from '../configuration/configuration.js';
import type { Facts } from '../facts.js';
import type { OpenedImage } from '../host.js';
import { plainOptions } from '../options/launchOptions.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { baseHost, hostOf } from '../testing/fakeHost.js';
import type { FakeHost } from '../testing/fakeHost.js';
import type { Bind, LaunchPlan, Step, StepKind } from '../plan.js';
import { planLaunch } from './planLaunch.js';
import type { PlannedLaunch } from './planLaunch.js';

interface Change {
  readonly options?: Partial<LaunchOptions>;
  readonly host?: Partial<FakeHost>;
  readonly facts?: Partial<Facts>;
  readonly configuration?: Partial<Configuration>;
}

const base = baseHost();
const identity = (change: Partial<FakeHost['identity']>): Partial<FakeHost> => ({
  identity: { ...base.identity, ...change },
});
const root = identity({ uid: 0, gid: 0, effectiveUid: 0, effectiveGid: 0, systemAdmin: true });
const files = (more: FakeHost['files']): Partial<FakeHost> => ({ files: { ...base.files, ...more } });

/** A launch of /img by alice, with one thing changed. */
function launch(change: Change = {}): PlannedLaunch {
  const options = { ...plainOptions('/img', ['true']), ...change.options };
  const facts = collectFacts(hostOf({ ...base, ...change.host }), options);
  const configuration = { ...builtInConfiguration(), ...change.configuration };
  return planLaunch(options, { ...facts, configuration, ...change.facts });
}

const planOf = (change?: Change): LaunchPlan => launch(change).plan;
const kinds = (plan: LaunchPlan): readonly StepKind[] => plan.steps.map((step) => step.kind);
const targets = (plan: LaunchPlan): readonly string[] =>
  plan.steps.flatMap((step) =>
    'target' in step && typeof step.target === 'object' ? [step.target.path] : [],
  );
const mountAt = (plan: LaunchPlan, path: string): Step | undefined =>
  plan.steps.findLast(
    (step) => 'target' in step && typeof step.target === 'object' && step.target.path === path,
  );
function bindAt(plan: LaunchPlan, path: string): Bind {
  const step = mountAt(plan, path);
  if (step?.kind !== 'bind') throw new Error(`no bind at ${path}`);
  return step;
}
const warnings = (planned: PlannedLaunch): readonly string[] =>
  planned.messages.filter(({ level }) => level === 'WARNING').map(({ text }) => text);

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
    ['a user', {}, ['fuse', 'extract']],
    ['root', { host: root }, ['loop', 'fuse', 'extract']],
    [
      'root without the kernel driver',
      { host: root, configuration: { kernelSquashfs: false } },
      ['fuse', 'extract'],
    ],
    ['a user without FUSE', { host: { fuse: false } }, ['extract']],
    ['a user where extraction is forbidden', { configuration: { extraction: false } }, ['fuse']],
  ] as const)('of %s is mounted by what is there', (_, change, expected) => {
    expect(backends(change)).toEqual(expected);
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
    ['that is encrypted', partition({ fileSystem: 'encrypted' }), 'is not offered'],
    ['with ext3', partition({ fileSystem: 'ext3' }), 'is not offered'],
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
    expect(() => launch({ options: { writable: 'tmpfs' }, configuration: { overlay: false } })).toThrow(
      'enable overlay = no',
    );
  });
});

describe('mounts', () => {
  it('of /proc are fresh in a PID namespace, else the host', () => {
    expect(mountAt(planOf(), '/proc')?.kind).toBe('bind');
    expect(mountAt(planOf({ options: { pid: true } }), '/proc')?.kind).toBe('mount_file_system');
  });

  it('of /sys are fresh for root only', () => {
    expect(mountAt(planOf(), '/sys')?.kind).toBe('bind');
    expect(mountAt(planOf({ host: root }), '/sys')?.kind).toBe('mount_file_system');
  });

  it.each([
    ['home', '/home/alice'],
    ['tmp', '/tmp'],
    ['tmp', '/var/tmp'],
    ['proc', '/proc'],
    ['sys', '/sys'],
    ['dev', '/dev'],
    ['cwd', '/home/alice/work'],
    ['bind-paths', '/etc/hosts'],
    ['/etc/hosts', '/etc/hosts'],
  ])('--no-mount %s leaves out %s', (word, path) => {
    expect(targets(planOf())).toContain(path);
    expect(targets(planOf({ options: { noMount: [word] } }))).not.toContain(path);
  });

  it('--no-mount with an unknown word is a warning', () => {
    expect(warnings(launch({ options: { noMount: ['x'] } }))).toEqual(["Ignoring unknown mount type 'x'"]);
  });

  it.each([
    ['mountHome', '/home/alice'],
    ['mountTmp', '/tmp'],
    ['mountProc', '/proc'],
    ['mountSys', '/sys'],
    ['configPasswd', '/etc/passwd'],
    ['configGroup', '/etc/group'],
    ['configResolvConf', '/etc/resolv.conf'],
    ['userBindControl', '/home/alice/work'],
  ] as const)('%s = no leaves out %s', (directive, path) => {
    expect(targets(planOf({ configuration: { [directive]: false } }))).not.toContain(path);
  });

  it('--no-home leaves out the home, but not a working directory inside it', () => {
    const plan = planOf({ options: { mountHome: false } });
    expect(targets(plan)).not.toContain('/home/alice');
    expect(targets(plan)).toContain('/home/alice/work');
  });

  it('--home may be another directory under another name', () => {
    const plan = planOf({ options: { home: { source: '/data', destination: '/home/z' } } });
    expect(bindAt(plan, '/home/z').source).toEqual({ kind: 'host', path: '/data' });
    const { run } = plan;
    expect(run.kind === 'become' && run.payload.exec?.env).toContain('HOME=/home/z');
  });

  it('a home that is not there is a warning, a given one is refused', () => {
    const without = { ...base.files };
    delete (without as Record<string, unknown>)['/home/alice'];
    expect(warnings(launch({ host: { files: without } }))).toEqual([
      'Not mounting home: /home/alice is not there',
    ]);
    expect(() => launch({ options: { home: { source: '/nope', destination: null } } })).toThrow(
      '/nope is not there',
    );
  });

  it.each(['/', '/etc', '/usr', '/proc/self', '/dev/shm', '/sys'])(
    'the working directory %s is not mounted',
    (workingDirectory) => {
      const before = targets(planOf({ options: { noMount: ['cwd'] } }));
      expect(targets(planOf({ host: { workingDirectory } }))).toEqual(before);
    },
  );

  it('--contain has empty home and tmp, a minimal /dev and no working directory', () => {
    const plan = planOf({ options: { contain: true } });
    for (const path of ['/home/alice', '/tmp', '/var/tmp', '/dev'])
      expect([path, bindAt(plan, path).source.kind]).toEqual([path, 'session']);
    expect(targets(plan)).not.toContain('/home/alice/work');
    expect(targets(plan)).toContain('/etc/hosts');
  });

  it('--contain makes a home below /tmp in the empty /tmp', () => {
    const accounts = [{ name: 'al', uid: 1000, gid: 1000, gecos: '', home: '/tmp/a/b', shell: '/bin/sh' }];
    const plan = planOf({ options: { contain: true }, host: { accounts } });
    expect(plan.steps).toContainEqual({ kind: 'make_directory', path: 'tmp/a/b', mode: 0o700 });
    expect(targets(plan)).not.toContain('/tmp/a/b');
  });

  it('--contain with --home keeps that directory', () => {
    const plan = planOf({ options: { contain: true, home: { source: '/data', destination: null } } });
    expect(bindAt(plan, '/data').source.kind).toBe('host');
  });

  it('a bind whose source is not there is refused', () => {
    const binds = [{ source: '/nope', destination: null, readOnly: false }];
    expect(() => launch({ options: { binds } })).toThrow('could not bind /nope: no such file or directory');
  });

  it('a bind over / is refused', () => {
    const binds = [{ source: '/data', destination: '/', readOnly: false }];
    expect(() => launch({ options: { binds } })).toThrow('/ of the container is no destination');
  });

  it('a relative bind without working directory is refused', () => {
    const binds = [{ source: 'x', destination: null, readOnly: false }];
    expect(() => launch({ options: { binds }, host: { workingDirectory: null } })).toThrow('is relative');
  });

  it('binds, home and scratch of the user can be forbidden with a warning', () => {
    const planned = launch({
      options: {
        binds: [{ source: '/nope', destination: '/d', readOnly: false }],
        home: { source: '/data', destination: '/h' },
        scratch: ['/s'],
      },
      configuration: { userBindControl: false },
    });
    expect(warnings(planned)[0]).toContain('user bind control disabled');
    for (const path of ['/d', '/h', '/s']) expect(targets(planned.plan)).not.toContain(path);
  });

  it('below a minimal /dev only a device under its own name is bound', () => {
    const bind = (source: string, destination: string): readonly string[] => {
      const binds = [{ source, destination, readOnly: false }];
      return targets(planOf({ options: { contain: true, binds } }));
    };
    expect(bind('/dev/kvm', '/dev/kvm')).toContain('/dev/kvm');
    expect(bind('/dev/kvm', '/dev/x')).not.toContain('/dev/x');
    expect(bind('/data', '/dev/data')).not.toContain('/dev/data');
  });
});

describe('namespaces', () => {
  it('are the mount namespace alone', () => {
    expect(planOf().namespaces).toMatchObject({ pid: null, ipc: false, uts: null, net: 'host' });
  });

  it.each([
    ['pid', { pid: true }, { allowPidNamespace: false }],
    ['ipc', { ipc: true }, { allowIpcNamespace: false }],
    ['uts', { uts: true, hostname: 'h' }, { allowUtsNamespace: false }],
  ] as const)('%s can be forbidden with a warning', (name, options, configuration) => {
    const allowed = planOf({ options }).namespaces[name];
    expect(allowed).not.toEqual(planOf().namespaces[name]);
    const planned = launch({ options, configuration });
    expect(planned.plan.namespaces[name]).toEqual(planOf().namespaces[name]);
    expect(warnings(planned)).toEqual([`Not virtualizing ${name.toUpperCase()} namespace by configuration`]);
  });
});

describe('working directory', () => {
  const entered = (change: Change): readonly string[] => {
    const { run } = planOf(change);
    return run.kind === 'become'
      ? run.workingDirectory.map(({ path, onFailure }) => `${path} ${onFailure}`)
      : [];
  };

  it('is the caller’s, else the home, else /', () => {
    expect(entered({})).toEqual(['/home/alice/work verbose', '/home/alice verbose', '/ fatal']);
  });

  it('that was asked for must be there', () => {
    expect(entered({ options: { workingDirectory: '/x' } })).toEqual(['/x fatal']);
  });

  it('is the home in a contained launch', () => {
    expect(entered({ options: { contain: true } })).toEqual(['/home/alice verbose', '/ fatal']);
  });

  it('that was deleted is a warning', () => {
    const planned = launch({ host: { workingDirectory: null } });
    expect(warnings(planned)[0]).toContain('does not exist any more');
  });
});

describe('accounts', () => {
  const staged = (change: Change): Extract<Step, { kind: 'stage_accounts' }> | undefined =>
    planOf(change).steps.find((step) => step.kind === 'stage_accounts');

  it('are the caller with the home inside, and the groups that have a name', () => {
    const step = staged({ options: { home: { source: '/data', destination: '/h' } } });
    expect(step?.passwd?.user).toEqual({
      name: 'alice',
      uid: 1000,
      gid: 1000,
      gecos: 'Alice A',
      home: '/h',
      shell: '/bin/bash',
    });
    expect(step?.group?.groups.map(({ gid }) => gid)).toEqual([1000, 27]);
  });

  it('never break a line of passwd', () => {
    const account = {
      name: 'al:ice',
      uid: 1000,
      gid: 1000,
      gecos: 'a\nroot::0:0',
      home: '/h:x',
      shell: '/bin/a\n',
    };
    const user = staged({ host: { accounts: [account] } })?.passwd?.user;
    expect(Object.values(user ?? {}).join('|')).toBe('user1000|1000|1000||/|/bin/sh');
  });

  it('of somebody without entry come from the environment', () => {
    const user = staged({ host: { accounts: [], environment: ['USER=bob', 'HOME=/data'] } })?.passwd?.user;
    expect(user).toMatchObject({ name: 'bob', home: '/data' });
  });

  it('of root are left alone in a writable image', () => {
    expect(staged({ host: root, options: { writable: 'image' } })?.passwd ?? null).toBeNull();
  });
});
