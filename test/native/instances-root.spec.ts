import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, PROGRAM, skipContainers } from '../support/containers.js';
import { makeSquashfs } from '../support/fuse.js';
import { isRunning, useInstances } from '../support/instances.js';
import { loopsOf } from '../support/overlays.js';
import { eventually } from '../support/processes.js';

/** Runs a program as somebody, with other accounts. */
const WITH_ACCOUNTS = `
mount --make-rprivate / && mount --bind "$0" /etc/passwd
id=$1
shift
exec setpriv --reuid "$id" --regid "$id" --clear-groups "$@"
`;

/** Where a cgroup of version 1 limits memory. */
const MEMORY = '/sys/fs/cgroup/memory';

/** Says what it is, and ends only when it is killed, as an init does. */
const INIT = `#!/bin/sh
echo "init $$ $(hostname) $(cat /proc/net/dev | wc -l)"
grep CapEff /proc/self/status
while :; do sleep 0.05; done
`;

describe.skipIf(process.getuid?.() !== 0 || skipContainers())('instances of root', () => {
  const scene = useInstances(
    {
      'sbin/init': INIT,
      'bin/hostname': '#!/bin/sh\ncat /proc/sys/kernel/hostname\n',
    },
    'root',
  );
  const { owner } = scene;

  const log = (name: string): string =>
    readFileSync(join(owner.records.replace('/scs/', '/logs/'), `${name}.out`), 'utf8');

  it('have their capabilities, and give no new privileges to who joins', async () => {
    expect(await owner.run(['instance', 'start', scene.image, 'one'])).toMatchObject({ status: 0 });
    const { stdout } = await owner.run([
      'exec',
      'instance://one',
      'grep',
      '-E',
      '^(CapEff|NoNew)',
      '/proc/self/status',
    ]);
    expect(stdout).toBe(
      `${/^CapEff.*\n/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[0]}NoNewPrivs:\t1\n`,
    );
    const none = await owner.run([
      'exec',
      '--no-privs',
      'instance://one',
      'grep',
      'CapEff',
      '/proc/self/status',
    ]);
    expect(none.stdout).toBe('CapEff:\t0000000000000000\n');
  });

  it('from an image file leave no loop device', async () => {
    const file = makeSquashfs(scene.image, join(scene.folder, `file-${scene.number}.sqfs`));
    // Those of this file: other tests have theirs.
    const loops = (): string[] => loopsOf(scene.folder);
    expect(await owner.run(['instance', 'start', file, 'one'])).toMatchObject({ status: 0 });
    expect(loops()).toHaveLength(1);
    expect((await owner.run(['exec', 'instance://one', 'cat', '/etc/group'])).stdout).toBe('root:x:0:\n');
    expect(await owner.run(['instance', 'stop', 'one'])).toMatchObject({ status: 0 });
    await eventually('the loop device to be free', loops);
  });

  it.skipIf(!existsSync(MEMORY))('T223 stats show the limit of their cgroup', async () => {
    expect(await owner.run(['instance', 'start', scene.image, 'one'])).toMatchObject({ status: 0 });
    const group = join(MEMORY, `sing-test-${process.pid}`);
    mkdirSync(group);
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(100 * 1024 * 1024));
    writeFileSync(join(group, 'cgroup.procs'), String((await owner.list())[0]?.pid));
    const { stdout } = await owner.run(['instance', 'stats', '--no-stream', '-j', 'one']);
    expect(JSON.parse(stdout)).toMatchObject({ memoryLimitBytes: 100 * 1024 * 1024 });
    await owner.run(['instance', 'stop', '-F', 'one']);
    rmdirSync(group);
  });

  it('T222 of somebody else are listed and stopped by root', () => {
    const id = ordinaryId();
    const home = join(scene.folder, 'tester');
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, id, id);
    const accounts = join(scene.folder, 'passwd');
    const line = `tester:x:${id}:${id}::${home}:/bin/sh`;
    writeFileSync(accounts, `root:x:0:0:root:/root:/bin/sh\n${line}\n`);
    /** With these accounts in place of the machine's. */
    const sing = (as: number, words: readonly string[]) =>
      spawnSync('unshare', ['--mount', 'sh', '-c', WITH_ACCOUNTS, accounts, String(as), PROGRAM, ...words], {
        cwd: '/',
        env: { HOME: as === 0 ? owner.home : home, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        encoding: 'utf8',
      });
    expect(sing(id, ['instance', 'start', scene.image, 'theirs'])).toMatchObject({ status: 0 });
    expect(JSON.parse(sing(0, ['instance', 'list', '-j']).stdout)).toEqual({ instances: [] });
    const { instances } = JSON.parse(sing(0, ['instance', 'list', '-j', '-u', 'tester']).stdout) as {
      instances: { instance: string; pid: number; logOutPath: string }[];
    };
    expect(instances).toMatchObject([{ instance: 'theirs', logOutPath: expect.stringContaining(home) }]);
    expect(sing(0, ['instance', 'stats', '-u', 'tester', '--no-stream', '-j', 'theirs'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('"memoryBytes"'),
    });
    expect(sing(0, ['instance', 'stop', '-F', '-u', 'tester', 'theirs'])).toMatchObject({ status: 0 });
    expect(isRunning(instances[0]?.pid ?? 0)).toBe(false);
    expect(sing(0, ['instance', 'list', '-u', 'nobody-here'])).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('FATAL:   no user is called nobody-here'),
    });
  });

  it.skipIf(!existsSync('/usr/bin/newuidmap'))(
    'with --fakeroot and sub-ids are joined with all of them',
    () => {
      const id = ordinaryId();
      const home = join(scene.folder, 'faker');
      mkdirSync(home, { mode: 0o700 });
      chownSync(home, id, id);
      const [accounts, ranges] = [join(scene.folder, 'passwd-faker'), join(scene.folder, 'subid')];
      writeFileSync(accounts, `root:x:0:0:root:/root:/bin/sh\nfaker:x:${id}:${id}::${home}:/bin/sh\n`);
      writeFileSync(ranges, 'faker:300000:65536\n');
      const withRanges = `mount --bind ${ranges} /etc/subuid && mount --bind ${ranges} /etc/subgid\n${WITH_ACCOUNTS}`;
      const sing = (...words: string[]) =>
        spawnSync('unshare', ['--mount', 'sh', '-c', withRanges, accounts, String(id), PROGRAM, ...words], {
          cwd: '/',
          env: { HOME: home, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
          encoding: 'utf8',
        });
      expect(sing('instance', 'start', '--fakeroot', scene.image, 'one')).toMatchObject({ status: 0 });
      const script = 'touch f && chown 5:6 f && stat -c %u:%g f; id -G; grep NoNew /proc/self/status';
      expect(
        sing('exec', '--cwd', '/tmp', 'instance://one', 'sh', '-c', `cd $HOME; ${script}`),
      ).toMatchObject({
        status: 0,
        stdout: '5:6\n0\nNoNewPrivs:\t1\n',
      });
      expect(statSync(join(home, 'f')).uid).toBe(300_004);
      expect(sing('instance', 'stop', 'one')).toMatchObject({ status: 0 });
    },
  );

  it('T222 a folder of somebody else that leads elsewhere leads root nowhere', () => {
    const id = ordinaryId();
    const home = join(scene.folder, 'liar');
    mkdirSync(home, { mode: 0o700 });
    symlinkSync(join(owner.home, '.singularity'), join(home, '.singularity'));
    chownSync(home, id, id);
    const accounts = join(scene.folder, 'passwd-liar');
    writeFileSync(accounts, `liar:x:${id}:${id}::${home}:/bin/sh\n`);
    mkdirSync(join(owner.home, '.singularity'));
    const ended = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', WITH_ACCOUNTS, accounts, '0', PROGRAM, 'instance', 'list', '-j', '-u', 'liar'],
      { cwd: '/', env: { HOME: owner.home, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, encoding: 'utf8' },
    );
    expect(JSON.parse(ended.stdout)).toEqual({ instances: [] });
    expect(ended.stderr).toMatch(/^WARNING: Expected .* to belong to user \d+, got user 0\n$/);
  });

  it('--boot runs the init of the image as process 1, with a host name and without the network', async () => {
    expect(await owner.run(['instance', 'start', '--boot', scene.image, 'vm'])).toMatchObject({
      status: 0,
    });
    await eventually('the init to speak', () => log('vm').includes('CapEff'));
    const [said, capabilities] = log('vm').split('\n');
    expect(said).toBe('init 1 vm 3');
    // CAP_SYS_RAWIO is 17, CAP_SYS_BOOT 22.
    const bits = BigInt(`0x${capabilities?.split('\t')[1] ?? ''}`);
    expect([bits & (1n << 17n), bits & (1n << 22n), bits & (1n << 21n)]).toEqual([0n, 0n, 1n << 21n]);
    const joined = await owner.run(['exec', 'instance://vm', 'cat', '/proc/1/cmdline']);
    expect(joined.stdout).toContain('/sbin/init');
    const pid = (await owner.list())[0]?.pid ?? 0;
    expect(await owner.run(['instance', 'stop', '-F', 'vm'])).toMatchObject({ status: 0 });
    expect(isRunning(pid)).toBe(false);
  });

  it('--boot of an image without an init fails where it was asked for', async () => {
    const other = join(scene.folder, 'other');
    mkdirSync(other);
    const plain = makeImage(other);
    expect(await owner.run(['instance', 'start', '--boot', plain, 'vm'])).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('FATAL:   stat /sbin/init: no such file or directory\n'),
    });
    expect(await owner.list()).toEqual([]);
  });
});
