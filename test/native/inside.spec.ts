import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, runSing, skipContainers } from '../support/containers.js';
import type { Ended, SingOptions } from '../support/containers.js';
import { temporaryFolder } from '../support/temporary.js';

// What a container looks like from the inside: the planner's rules, done by the real executor, for a directory image.
describe.skipIf(skipContainers())('inside a container', () => {
  let folder = '';
  let image = '';
  let remove = async (): Promise<void> => undefined;
  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    image = makeImage(folder);
    mkdirSync(join(folder, 'open'), { mode: 0o777 });
    chmodSync(join(folder, 'open'), 0o777);
  });
  afterAll(() => remove());

  const exec = (words: readonly string[], command: string, options?: SingOptions): Promise<Ended> =>
    runSing(['exec', ...words, image, 'sh', '-c', command], options);
  const output = async (
    words: readonly string[],
    command: string,
    options?: SingOptions,
  ): Promise<string> => {
    const { status, stdout, stderr } = await exec(words, command, options);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout.trimEnd();
  };

  it.each([
    ['true', 0],
    ['exit 200', 200],
    ['false', 1],
  ])('the status of `%s` is %i', async (command, status) => {
    expect((await exec([], command)).status).toBe(status);
  });

  it.each(['TERM', 'KILL', 'INT', 'SEGV'] as const)(
    'a payload that dies of %s ends the program by it',
    async (name) => {
      expect((await exec([], `kill -${name} $$`)).signal).toBe(`SIG${name}`);
    },
  );

  it.each([
    ['nope', 'FATAL:   "nope": executable file not found in $PATH\n'],
    ['/nope', 'FATAL:   stat /nope: no such file or directory\n'],
    ['/etc/passwd', 'FATAL:   "/etc/passwd": permission denied\n'],
  ])('%s cannot be executed: status 255 and a sentence', async (command, stderr) => {
    expect(await runSing(['exec', image, command])).toMatchObject({ status: 255, stdout: '', stderr });
  });

  it('standard input, output and error pass through', async () => {
    const ended = await exec([], 'cat; echo err >&2', { input: 'in\n' });
    expect(ended).toMatchObject({ status: 0, stdout: 'in\n', stderr: 'err\n' });
  });

  it('a payload has the descriptors that its caller left open, and none of the runtime', async () => {
    const list = ['/proc/self/fd'];
    const direct = spawnSync(join(image, 'bin/ls'), list, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect((await runSing(['exec', image, 'ls', ...list])).stdout).toBe(direct.stdout);
  });

  it('a user has its own ids, no capability and no_new_privs', async () => {
    expect(await output([], 'id -u')).toBe(String(ordinaryId()));
    const status = await output([], 'grep -E "^(Cap|NoNewPrivs)" /proc/self/status');
    expect(status.split('\n').map((line) => line.split('\t').at(-1))).toEqual([
      ...Array<string>(5).fill('0000000000000000'),
      '1',
    ]);
  });

  it('the user is in /etc/passwd beside the accounts of the image', async () => {
    const passwd = await output([], 'cat /etc/passwd');
    expect(passwd).toContain('root:x:0:0:root:/root:/bin/sh');
    expect(passwd).toContain(`:x:${ordinaryId()}:`);
  });

  it('the root is read-only, nosuid and nodev, and the image stays as it was', async () => {
    expect((await exec([], 'touch /x')).stderr).toContain('Read-only file system');
    expect(await output([], `grep ' / / ' /proc/self/mountinfo`)).toMatch(/ ro,nosuid,nodev,/);
    expect(await output(['--writable-tmpfs'], 'touch /x && ls /x')).toBe('/x');
    expect(await output([], 'ls -d /*')).not.toContain('/x');
  });

  it('every bind of the host is nosuid and nodev', async () => {
    const lines = (await output([], 'cat /proc/self/mountinfo')).split('\n').map((line) => line.split(' '));
    for (const path of ['/tmp', '/etc/hosts', '/etc/resolv.conf', '/proc', '/sys']) {
      const flags = lines.findLast(([, , , , target]) => target === path)?.[5]?.split(',');
      expect([path, flags]).toEqual([path, expect.arrayContaining(['nosuid', 'nodev'])]);
    }
  });

  it('the working directory is mounted and is where the payload starts', async () => {
    const cwd = join(folder, 'open');
    expect(await output([], 'pwd; touch here', { cwd })).toBe(cwd);
    expect(readFileSync(join(cwd, 'here'), 'utf8')).toBe('');
  });

  it('--cwd must be there', async () => {
    expect(await output(['--cwd', '/bin'], 'pwd')).toBe('/bin');
    expect(await exec(['--pwd', '/nope'], 'pwd')).toMatchObject({ status: 255, stdout: '' });
  });

  it('a working directory that leads to a descriptor of the runtime is none', async () => {
    for (const fd of [3, 5, 10, 20])
      expect((await exec(['--cwd', `/proc/self/fd/${fd}`], 'true')).status).toBe(255);
  });

  it('binds appear where they were asked, also where the image has nothing', async () => {
    writeFileSync(join(folder, 'open/file'), 'text');
    const bind = `${folder}/open:/new/deep,${folder}/open/file:/new-file:ro`;
    expect(await output(['-B', bind], 'cat /new/deep/file /new-file')).toBe('texttext');
    expect((await exec(['-B', `${folder}/open:/d:ro`], 'touch /d/x')).stderr).toContain('Read-only');
  });

  it('a later bind lies on an earlier one', async () => {
    mkdirSync(join(folder, 'open/sub'));
    const binds = ['-B', `${folder}/open:/m`, '-B', '/etc:/m/sub'];
    expect(await output(binds, 'ls /m/sub/hostname /m/file')).toBe('/m/file\n/m/sub/hostname');
  });

  it('a link in the image cannot lead a mount out of it', async () => {
    mkdirSync(join(folder, 'hostile'));
    const hostile = makeImage(join(folder, 'hostile'), { 'etc/x': '' });
    symlinkSync('/../etc', join(hostile, 'data'));
    symlinkSync('../../../../etc/shadow', join(hostile, 'etc/resolv.conf'));
    rmSync(join(hostile, 'etc/passwd'));
    symlinkSync('/etc/shadow', join(hostile, 'etc/passwd'));
    const ended = await runSing(['exec', '-B', `${folder}:/data/inner`, hostile, 'cat', '/etc/passwd']);
    // Both links lead to the container's own /etc/shadow, where the host's resolv.conf has landed.
    expect(ended.stdout).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
    const inner = await runSing(['exec', '-B', `${folder}:/data/inner`, hostile, 'ls', '/etc/inner/image']);
    expect(inner.stdout).toContain('bin');
    expect(existsSync('/etc/inner')).toBe(false);
  });

  it('--containall shows nothing of the host', async () => {
    const shown = await output(['-C'], 'ls -A /tmp /var/tmp $HOME; ls /dev; ps | wc -l; env', {
      env: { FOO: 'bar' },
    });
    expect(shown).not.toContain('FOO=');
    const devices = 'fd mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero';
    expect(shown).toContain(devices.split(' ').join('\n'));
  });

  it('--pid starts a process 1 that reaps and passes the status on', async () => {
    expect(await output(['-p'], 'echo $$; cat /proc/1/comm')).toMatch(/^\d\nsinit$/);
    expect((await exec(['-p'], 'kill -9 $$')).status).toBe(137);
    expect(await output(['-p', '--no-init'], 'echo $$')).toBe('1');
  });

  it('--net --network none has loopback only, up', async () => {
    const devices = await output(['-n', '--network', 'none'], 'cat /proc/net/dev');
    expect(
      devices
        .split('\n')
        .slice(2)
        .map((line) => line.trim().split(':')[0]),
    ).toEqual(['lo']);
  });

  it('--hostname is seen inside only', async () => {
    expect(await output(['--hostname', 'inner'], 'cat /proc/sys/kernel/hostname /etc/hostname')).toBe(
      'inner\ninner',
    );
  });

  it('--fakeroot is root inside, and the user on the host', async () => {
    const cwd = join(folder, 'open');
    const ended = await exec(['-f'], 'id -u; touch made; echo $HOME; touch /etc/x', { cwd });
    expect(ended.stdout).toBe('0\n/root\n');
    expect(ended.stderr).toContain('touch: /etc/x');
    expect(await output([], 'stat -c %u made', { cwd })).toBe(String(ordinaryId()));
  });

  it('the environment is the host’s, cleaned, with the names of the runtime', async () => {
    const lines = (
      await output([], 'env', { env: { A: '1', LD_LIBRARY_PATH: '/x', SINGULARITYENV_B: '2' } })
    ).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'A=1',
        'B=2',
        'LD_LIBRARY_PATH=/.singularity.d/libs',
        `SINGULARITY_CONTAINER=${image}`,
        'SINGULARITY_NAME=image',
      ]),
    );
    expect(lines.filter((line) => line.startsWith('SINGULARITYENV'))).toEqual([]);
  });

  it('bytes that are not UTF-8 survive in paths, arguments and variables', async () => {
    const ended = await exec(
      [],
      `cd ${join(folder, 'open')} && printf 'x' > "$(printf 'b\\344d')" && ls "$(printf 'b\\344d')" | wc -c`,
    );
    expect(ended).toMatchObject({ status: 0, stdout: '4\n' });
  });

  it('50 at a time all work and leave no mount', async () => {
    const before = readFileSync('/proc/self/mountinfo', 'utf8');
    const all = await Promise.all(Array.from({ length: 50 }, () => runSing(['exec', image, 'true'])));
    expect(all.filter(({ status }) => status !== 0)).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
  });

  describe('scripts of the image', () => {
    let scripted = '';
    beforeAll(async () => {
      mkdirSync(join(folder, 'scripted'));
      scripted = makeImage(join(folder, 'scripted'), {
        '.singularity.d/env/01-base.sh': '#!/bin/sh\n# nothing\n',
        '.singularity.d/env/90-environment.sh': 'export FROM_IMAGE="a b"\n',
        '.singularity.d/runscript': '#!/bin/sh\necho "run $# $2 $FROM_IMAGE"\n',
        '.singularity.d/test': '#!/bin/sh\nexit 5\n',
      });
    });

    it('set the environment of exec', async () => {
      expect((await runSing(['exec', scripted, 'sh', '-c', 'echo $FROM_IMAGE'])).stdout).toBe('a b\n');
    });

    it('are what run and test start', async () => {
      expect(await runSing(['run', scripted, 'x', 'y z'])).toMatchObject({
        status: 0,
        stdout: 'run 2 y z a b\n',
      });
      expect((await runSing(['test', scripted])).status).toBe(5);
    });

    it('are run by our own shell where the image has none', async () => {
      for (const name of ['sh', 'busybox']) rmSync(join(scripted, 'bin', name));
      const ended = await runSing(['run', scripted, 'x', 'y']);
      expect(ended).toMatchObject({ status: 0, stdout: 'run 2 y a b\n' });
    });
  });

  it('shell reads its commands from a pipe', async () => {
    expect(await runSing(['shell', image], { input: 'echo here; exit 7\n' })).toMatchObject({
      status: 7,
      stdout: 'here\n',
    });
  });
});
