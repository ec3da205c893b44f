import { describe, expect, it } from 'vitest';
import { parseBinds } from '../options/bindSpec.js';
import type { Step } from '../plan.js';
import { base, bindAt, launch, mountAt, planOf, root, targets, warnings } from '../testing/launches.js';
import type { Change } from '../testing/launches.js';

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

  it.each([
    '/',
    '/etc',
    '/bin',
    '/mnt',
    '/usr',
    '/var',
    '/opt',
    '/sbin',
    '/lib',
    '/lib64',
    '/proc/self',
    '/dev/shm',
    '/sys',
  ])('the working directory %s is not mounted', (workingDirectory) => {
    const before = targets(planOf({ options: { noMount: ['cwd'] } }));
    expect(targets(planOf({ host: { workingDirectory } }))).toEqual(before);
  });

  it('the working directory does not cover what the caller binds there', () => {
    const [bind] = parseBinds('/data:/home/alice/work');
    const plan = planOf({ options: { binds: bind === undefined ? [] : [bind] } });
    expect(targets(plan).filter((path) => path === '/home/alice/work')).toHaveLength(1);
    expect(bindAt(plan, '/home/alice/work').source).toEqual({ kind: 'host', path: '/data' });
  });

  it('a mount point below an earlier mount is made when the turn of its bind comes, but not for devices or in a writable image', () => {
    const made = (text: string, change: Change = {}): readonly string[] => {
      const { steps, root: container } = planOf({
        ...change,
        options: { ...change.options, binds: parseBinds(text) },
      });
      return steps.flatMap((step, index) => {
        if (step.kind !== 'prepare_targets' || step.layer !== container) return [];
        const next = steps[index + 1];
        return next?.kind === 'bind'
          ? [`${step.targets.map(({ path }) => path).join()} ${next.target.path}`]
          : [];
      });
    };
    expect(made('/data:/new')).toEqual([]);
    expect(made('/data:/home/alice/new')).toEqual(['/home/alice/new /home/alice/new']);
    expect(made('/data:/m,/data:/m/x/y')).toEqual(['/m/x/y /m/x/y']);
    expect(made('/data:/tmp/x', { options: { contain: true } })).toEqual(['/tmp/x /tmp/x']);
    expect(made('/data:/dev/x,/data:/proc/x')).toEqual([]);
    expect(made('/data:/tmp/x', { options: { writable: 'image' } })).toEqual([]);
    const home = { source: '/data', destination: '/home/alice' };
    expect(made('', { options: { home } })).toEqual(['/home/alice/work /home/alice/work']);
    expect(made('/data:/home/alice')).toContain('/home/alice/work /home/alice/work');
  });

  it('of several binds to one place the first stays, and another source is told', () => {
    const launched = launch({ options: { binds: parseBinds('/data:/m,/etc:/m/,/data:/m') } });
    expect(targets(launched.plan).filter((path) => path === '/m')).toHaveLength(1);
    expect(bindAt(launched.plan, '/m').source).toEqual({ kind: 'host', path: '/data' });
    expect(warnings(launched)).toEqual(['Not binding /etc: /data is bound to /m already']);
  });

  it('--contain has empty home and tmp, a minimal /dev and no working directory', () => {
    const plan = planOf({ options: { contain: true } });
    for (const path of ['/home/alice', '/tmp', '/var/tmp', '/dev'])
      expect([path, bindAt(plan, path).source.kind]).toEqual([path, 'session']);
    expect(targets(plan)).not.toContain('/home/alice/work');
    expect(targets(plan)).toContain('/etc/hosts');
  });

  it('--contain has the terminal of standard input as /dev/console, where that is one; an instance has none', () => {
    const at = (terminals: readonly number[], options: Change['options'] = {}): Step | undefined =>
      mountAt(planOf({ options: { contain: true, ...options }, host: { terminals } }), '/dev/console');
    expect(at([0, 1, 2])).toMatchObject({ kind: 'bind', source: { kind: 'host', path: '/dev/pts/7' } });
    expect(at([1, 2])).toBeUndefined();
    expect(at([0], { contain: false })).toBeUndefined();
    expect(at([0], { instance: { name: 'x', boot: false, pidFile: null } })).toBeUndefined();
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
    expect(staged({ host: root, options: { writable: 'image' } })).toBeUndefined();
    expect(staged({ options: { writable: 'image', fakeroot: true } })).toBeUndefined();
    expect(staged({ options: { writable: 'image' } })).toMatchObject({ passwd: {}, group: {} });
  });
});
