import { describe, expect, it } from 'vitest';
import { baseHost, hostOf } from '../testing/fakeHost.js';
import type { FakeHost } from '../testing/fakeHost.js';
import { BUILD_IDS, buildIds } from './buildIds.js';
import { planCommands } from './planCommands.js';
import { exposedPath, planEnclosure } from './planEnclosure.js';

const base = baseHost();
const rootIdentity = {
  ...base.identity,
  uid: 0,
  gid: 0,
  effectiveUid: 0,
  effectiveGid: 0,
  systemAdmin: true,
};
const asRoot = (files: FakeHost['files'] = {}, ids = '4294967295'): FakeHost => ({
  ...base,
  identity: rootIdentity,
  files: { ...base.files, '/proc/self/uid_map': { content: `         0          0 ${ids}\n` }, ...files },
});
const map = (fake: FakeHost): unknown => buildIds(hostOf(fake)).userNamespace?.uidMap;
const enclosed: FakeHost = {
  ...base,
  identity: { ...rootIdentity, initialUserNamespace: false },
  environment: ['SING_BUILD_ENCLOSED=1'],
};

describe('ids of a build', () => {
  it('that root starts are an unprivileged block', () => {
    expect(buildIds(hostOf(asRoot()))).toMatchObject({
      owner: { uid: BUILD_IDS, gid: BUILD_IDS },
      singleId: null,
      userNamespace: {
        uidMap: [{ inside: 0, outside: BUILD_IDS, count: 65536 }],
        writtenBy: { kind: 'parent' },
        enterAs: { uid: 0, gid: 0, groups: [0] },
      },
    });
  });

  it('of root are its entry in /etc/subuid when there is one', () => {
    expect(map(asRoot({ '/etc/subuid': { content: 'root:500000:65536' } }))).toEqual([
      { inside: 0, outside: 500000, count: 65536 },
    ]);
  });

  it('of root never overlap a block that was given out', () => {
    const content = `alice:${BUILD_IDS + 1}:65536\n`;
    expect(map(asRoot({ '/etc/subgid': { content } }))).toEqual([
      { inside: 0, outside: BUILD_IDS + 2 * 65536, count: 65536 },
    ]);
  });

  it('of root in a container with few ids are the upper half of those', () => {
    expect(map(asRoot({}, '65536'))).toEqual([{ inside: 0, outside: 32768, count: 32768 }]);
  });

  it.each([asRoot(), asRoot({}, '65536'), asRoot({ '/etc/subuid': { content: 'root:1:65536' } }), base])(
    'never map root of the host',
    (fake) => {
      const user = buildIds(hostOf(fake)).userNamespace;
      for (const range of [...(user?.uidMap ?? []), ...(user?.gidMap ?? [])])
        expect(range.outside).toBeGreaterThan(0);
    },
  );

  it('of a user without sub-ids are its own alone, with the reason', () => {
    const ids = buildIds(hostOf(base));
    expect(ids.userNamespace?.uidMap).toEqual([{ inside: 0, outside: 1000, count: 1 }]);
    expect(ids.singleId).toContain('there are no sub-ids for alice');
  });

  it('of a root whose namespace has one id are that id alone', () => {
    const ids = buildIds(hostOf(asRoot({}, '1')));
    expect(ids.userNamespace?.uidMap).toEqual([{ inside: 0, outside: 0, count: 1 }]);
    expect(ids.singleId).toContain('one id only');
  });

  it('in an enclosure stay as they are', () => {
    expect(buildIds(hostOf(enclosed)).userNamespace).toBeNull();
  });

  it('cannot be kept by a variable alone', () => {
    const fake = { ...asRoot(), environment: ['SING_BUILD_ENCLOSED=1'] };
    expect(buildIds(hostOf(fake)).userNamespace).not.toBeNull();
  });
});

describe('enclosure', () => {
  const plan = planEnclosure(hostOf(asRoot()), {
    command: ['/usr/bin/node', 'build.js'],
    environment: ['A=1'],
    workingDirectory: '/tmp/work',
    hidden: ['/srv/state'],
    exposed: [{ name: 'work', source: '/srv/state/work', readOnly: false }],
  });

  it('lies over what is hidden, dies with its parent and has a PID namespace', () => {
    expect(plan.steps).toContainEqual(
      expect.objectContaining({ target: { kind: 'container', path: '/srv/state' }, onFailure: 'fatal' }),
    );
    expect(plan).toMatchObject({ dieWithParent: true, inheritDescriptors: false, namespaces: { pid: {} } });
  });

  it('shows what is exposed, although it lies in a hidden directory', () => {
    const targets = plan.steps.flatMap((step) =>
      step.kind === 'bind' && step.target.kind === 'container' ? [step.target.path] : [],
    );
    const place = exposedPath(hostOf(asRoot()), 'work');
    expect(targets.indexOf(place)).toBeGreaterThan(targets.indexOf('/srv/state'));
    expect(plan.steps).toContainEqual(
      expect.objectContaining({ source: { kind: 'host', path: '/srv/state/work' }, onFailure: 'fatal' }),
    );
  });

  it('marks the environment, once', () => {
    expect(plan.run.kind === 'become' && plan.run.payload.exec?.env).toEqual([
      'A=1',
      'SING_BUILD_ENCLOSED=1',
    ]);
  });

  it('is not made inside another', () => {
    expect(() =>
      planEnclosure(hostOf(enclosed), {
        command: ['/x'],
        environment: [],
        workingDirectory: '/',
        hidden: [],
        exposed: [],
      }),
    ).toThrow('already runs in an enclosure');
  });
});

describe('commands of a build', () => {
  const options = {
    root: '/tmp/work/rootfs',
    writable: true,
    binds: [{ source: '/etc/hosts', destination: '/etc/hosts', readOnly: true }],
    temporary: null,
    network: 'host',
    commands: [
      {
        name: '%post',
        command: ['/bin/sh', '-ex', '/.post.script'],
        environment: ['PATH=/bin'],
        workingDirectory: '/',
        always: false,
      },
    ],
  } as const;

  it('see the root, a minimal /dev, their own /proc, an empty /tmp, the given binds and nothing else', () => {
    const plan = planCommands(hostOf(base), options);
    const sources = plan.steps.flatMap((step) =>
      step.kind === 'bind' && step.source.kind === 'host' ? [step.source.path] : [],
    );
    expect(sources.filter((path) => !path.startsWith('/dev/'))).toEqual(['/tmp/work/rootfs', '/etc/hosts']);
    expect(plan).toMatchObject({
      root: 'rootfs',
      namespaces: { pid: {}, ipc: true, propagation: 'private' },
      credentials: { noNewPrivileges: true },
      dieWithParent: true,
      inheritDescriptors: false,
    });
  });

  it('have no new user namespace in an enclosure', () => {
    expect(planCommands(hostOf(enclosed), options).namespaces.user).toBeNull();
  });

  it('may have a read-only root', () => {
    const plan = planCommands(hostOf(base), { ...options, writable: false });
    expect(plan.steps).toContainEqual(
      expect.objectContaining({
        target: { kind: 'session', path: 'rootfs' },
        flags: { readOnly: true, nosuid: true, nodev: true, noexec: false },
      }),
    );
  });

  it('are refused when there is none', () => {
    expect(() => planCommands(hostOf(base), { ...options, commands: [] })).toThrow('at least one command');
  });
});
