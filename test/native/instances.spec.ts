import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ordinaryId, PROGRAM, skipContainers } from '../support/containers.js';
import { instanceOwner, isRunning, parentOf, useInstances } from '../support/instances.js';
import { eventually, processesWith } from '../support/processes.js';

const ROOT = process.getuid?.() === 0;
const asUser = ROOT ? { uid: ordinaryId(), gid: ordinaryId() } : {};

/** Of a length that no other test looks for, and kills. What the startscript does is its first argument, so that one image serves all tests. */
const STARTSCRIPT = `#!/bin/sh
echo "started $*"
echo "to the errors" >&2
eval "$1"
exec sleep 4321
`;

// The rows T210–T224 of the runtime contract, and what an instance is beyond them.
describe.skipIf(skipContainers())('instances', () => {
  const scene = useInstances({
    '.singularity.d/startscript': STARTSCRIPT,
    '.singularity.d/runscript': '#!/bin/sh\necho "run $*"; exec sleep 4321\n',
  });
  const { owner } = scene;

  const start = async (name: string, script = '', flags: readonly string[] = []): Promise<number> => {
    const ended = await owner.run(['instance', 'start', ...flags, scene.image, name, script]);
    expect(ended).toMatchObject({ status: 0, stdout: '' });
    expect(ended.stderr).toContain('INFO:    instance started successfully\n');
    const found = (await owner.list()).find(({ instance }) => instance === name);
    if (found === undefined) throw new Error(`Expected ${name} in the list`);
    return found.pid;
  };
  const inside = (name: string, script: string, flags: readonly string[] = []) =>
    owner.run(['exec', ...flags, `instance://${name}`, 'sh', '-c', script]);
  const logOf = (name: string, kind: 'out' | 'err'): string =>
    readFileSync(join(owner.records.replace('/scs/', '/logs/'), `${name}.${kind}`), 'utf8');
  const scriptIsReady = (name: string): Promise<void> =>
    eventually('the script to be ready', () => logOf(name, 'out').endsWith('ready\n'));
  const names = async (): Promise<readonly string[]> => (await owner.list()).map(({ instance }) => instance);

  it('T210 start, list, exec, stop', async () => {
    const pid = await start('one');
    const listed = await owner.run(['instance', 'list']);
    expect(listed.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['INSTANCE NAME', 'PID', 'IP', 'IMAGE'],
      ['one', String(pid), scene.image],
      [''],
    ]);
    const joined = await inside(
      'one',
      'echo $SINGULARITY_NAME $SINGULARITY_INSTANCE $SINGULARITY_CONTAINER; cat /proc/1/comm',
    );
    expect(joined).toMatchObject({ status: 0, stderr: '', stdout: `image one ${scene.image}\nsinit\n` });
    expect(await owner.run(['instance', 'stop', 'one'])).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr: `INFO:    Stopping one instance of ${scene.image} (PID=${pid})\n`,
    });
    expect(isRunning(pid)).toBe(false);
    expect(await names()).toEqual([]);
  });

  it('T211 a name is taken once, and is a name', async () => {
    await start('one');
    expect(await owner.run(['instance', 'start', scene.image, 'one'])).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('FATAL:   instance one already exists'),
    });
    for (const name of ['a/b', '', '.', '..', 'ä', 'a b'])
      expect(await owner.run(['instance', 'start', scene.image, name])).toMatchObject({
        status: 255,
        stderr: expect.stringContaining(`FATAL:   invalid instance name "${name}"`),
      });
    expect(await names()).toEqual(['one']);
  });

  it('T211 of starts with one name at once exactly one wins, and the others say so', async () => {
    const all = await Promise.all(
      Array.from({ length: 8 }, () => owner.run(['instance', 'start', scene.image, 'one'])),
    );
    expect(all.filter(({ status }) => status === 0)).toHaveLength(1);
    for (const { status, stderr } of all)
      expect(`${status} ${stderr}`).toMatch(/^0 .*started successfully|^255 .*instance one already exists/);
    expect(await names()).toEqual(['one']);
  });

  it('T212 an empty list is one', async () => {
    const { status, stdout } = await owner.run(['instance', 'list', '-j']);
    expect([status, JSON.parse(stdout)]).toEqual([0, { instances: [] }]);
    expect((await owner.run(['instance', 'list'])).stdout).toBe('INSTANCE NAME    PID    IP    IMAGE\n');
  });

  it('T213 stopping what is not there', async () => {
    expect(await owner.run(['instance', 'stop', 'nope'])).toMatchObject({
      status: 1,
      stderr: 'ERROR:   no instance found\n',
    });
  });

  it('T214 joining what is not there, and starting from an instance', async () => {
    expect(await owner.run(['exec', 'instance://nope', 'true'])).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('FATAL:   no instance found with name nope\n'),
    });
    await start('one');
    expect(await owner.run(['instance', 'start', 'instance://one', 'two'])).toMatchObject({
      status: 255,
      stderr: 'FATAL:   starting an instance from another is not allowed\n',
    });
  });

  it('T215 --pid-file has the number of the list', async () => {
    const file = join(owner.home, 'pid');
    const pid = await start('one', '', ['--pid-file', file]);
    expect(readFileSync(file, 'utf8')).toBe(`${pid}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(
      await owner.run(['instance', 'start', '--pid-file', '/nowhere/x', scene.image, 'two']),
    ).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('open the PID file /nowhere/x: No such file or directory'),
    });
    expect(await names()).toEqual(['one']);
  });

  it('T216 output and errors of the script are in the logs', async () => {
    await start('one', ': word');
    await eventually('the log to be written', () => logOf('one', 'err') !== '');
    expect(logOf('one', 'out')).toBe('started : word\n');
    expect(logOf('one', 'err')).toBe('to the errors\n');
    const { stdout } = await owner.run(['instance', 'list', '-l']);
    const [listed] = await owner.list();
    expect(stdout).toContain(listed?.logErrPath);
    expect(stdout).toContain(listed?.logOutPath);
    for (const path of [listed?.logErrPath ?? '', listed?.logOutPath ?? ''])
      expect(statSync(path).mode & 0o777).toBe(0o600);
    await owner.run(['instance', 'stop', 'one']);
    await start('one', ': again');
    await eventually('the log to go on', () => logOf('one', 'out').includes('again'));
    expect(logOf('one', 'out')).toBe('started : word\nstarted : again\n');
  });

  it.each(['keeper', 'process 1'])('T217 kill -9 of the %s ends all of it', async (which) => {
    const pid = await start('one');
    const keeper = parentOf(pid);
    process.kill(which === 'keeper' ? keeper : pid, 'SIGKILL');
    await eventually('both to be over', () => !isRunning(pid) && !isRunning(keeper));
    expect(await names()).toEqual([]);
    expect(readdirSync(owner.records)).toEqual(['+lock']);
    await start('one');
  });

  it('T218 what does not listen is killed after the time, or at once', async () => {
    const pid = await start('one', 'trap "" INT; echo ready');
    await scriptIsReady('one');
    const before = performance.now();
    expect(await owner.run(['instance', 'stop', '-t', '1', 'one'])).toMatchObject({ status: 0 });
    expect(performance.now() - before).toBeGreaterThanOrEqual(1000);
    expect(isRunning(pid)).toBe(false);
    await start('two', 'trap "" INT; echo ready');
    await scriptIsReady('two');
    expect(await owner.run(['instance', 'stop', '-F', '-t', '1000', 'two'])).toMatchObject({
      status: 0,
    });
    expect(await names()).toEqual([]);
  });

  it('T218 another signal, which the script takes its time for', async () => {
    await start('one', 'trap "echo bye; exit 0" USR1; echo ready; while :; do sleep 0.02; done');
    await scriptIsReady('one');
    expect(await owner.run(['instance', 'stop', '-s', 'USR1', 'one'])).toMatchObject({ status: 0 });
    expect(logOf('one', 'out')).toContain('bye\n');
  });

  it('T219 stop --all, and by a pattern', async () => {
    const all = ['web1', 'web2', 'web3', 'a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const started = await Promise.all(all.map((name) => owner.run(['instance', 'start', scene.image, name])));
    expect(started.map(({ status }) => status)).toEqual(all.map(() => 0));
    expect(await names()).toEqual([...all].sort());
    expect((await owner.run(['instance', 'list', 'web[12]'])).stdout).toMatch(/web1.*\nweb2.*\n$/);
    expect((await owner.run(['instance', 'stop', 'web*'])).status).toBe(0);
    expect(await names()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect((await owner.run(['instance', 'stop', '-a'])).status).toBe(0);
    expect(await names()).toEqual([]);
  });

  it('T220 a server in an instance is reached from the host', async () => {
    // At an address that nobody else has: a port of the usual one can be somebody's in the moment before it is listened at.
    const address = `127.${[16, 8, 0].map((bits) => (process.pid >> bits) & 255).join('.')}:4220`;
    await start('one', `exec busybox httpd -f -p ${address} -h /etc`);
    let said = '';
    await eventually('the server to listen', () => {
      fetch(`http://${address}/group`)
        .then((answer) => answer.text())
        .then(
          (words) => (said = words),
          () => undefined,
        );
      return said !== '';
    });
    expect(said).toBe('root:x:0:\n');
  });

  it.skipIf(!ROOT)('T222 root sees the instances of others, and others do not', async () => {
    const root = instanceOwner(scene.folder, `root-${scene.number}`, 'root');
    await start('one');
    expect(await owner.run(['instance', 'list', '-u', 'root'])).toMatchObject({
      status: 255,
      stderr: "FATAL:   Only root user can list user's instances\n",
    });
    // Not the own one of somebody who is root: the user's folder is the user's.
    expect(await root.list()).toEqual([]);
    expect(await root.run(['exec', 'instance://one', 'true'])).toMatchObject({ status: 255 });
  });

  it('T223 stats are numbers', async () => {
    await start('one', 'while :; do :; done');
    const { status, stdout } = await owner.run(['instance', 'stats', '--no-stream', '-j', 'one']);
    const stats = JSON.parse(stdout) as Record<string, number | string>;
    expect(status).toBe(0);
    expect(stats).toMatchObject({ instance: 'one', pids: 2 });
    expect(stats['memoryBytes']).toBeGreaterThan(100_000);
    expect(stats['memoryBytes']).toBeLessThan(stats['memoryLimitBytes'] as number);
    const table = await owner.run(['instance', 'stats', '--no-stream', 'one']);
    expect(table.stdout.split('\n')[0]?.split(/ {2,}/)).toEqual([
      'INSTANCE NAME',
      'CPU USAGE',
      'MEM USAGE / LIMIT',
      'MEM %',
      'BLOCK I/O',
      'PIDS',
    ]);
    expect((await owner.run(['instance', 'stats', 'nope'])).status).toBe(1);
  });

  it('T223 stats end with the instance', async () => {
    await start('one');
    const child = spawn(PROGRAM, ['instance', 'stats', 'one'], {
      env: { HOME: owner.home, PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', 'inherit'],
      ...asUser,
    });
    await once(child.stdout, 'data');
    const ended = once(child, 'exit');
    await owner.run(['instance', 'stop', '-F', 'one']);
    expect(await ended).toEqual([0, null]);
  });

  it('T224 who joins has no capabilities and gets no privileges', async () => {
    await start('one');
    const { stdout } = await inside('one', 'grep -E "^(Cap|NoNew)" /proc/self/status');
    expect(stdout.match(/0000000000000000/g)).toHaveLength(5);
    expect(stdout).toContain('NoNewPrivs:\t1');
  });

  it('what joins is in every namespace of the instance, with its own environment and directory', async () => {
    await start('one', '', ['--ipc', '--hostname', 'inside', '--env', 'START=1']);
    const show = 'for n in user mnt pid ipc uts net; do readlink /proc/$1/ns/$n; done';
    const joined = await owner.run([
      'exec',
      '--env',
      'MINE=2',
      '--cwd',
      '/etc',
      'instance://one',
      'sh',
      '-c',
      `${show}; pwd; echo $MINE-$START; cat /proc/sys/kernel/hostname`,
      'sh',
      'self',
    ]);
    const [, mnt, pid, ipc, uts, net, ...rest] = joined.stdout.split('\n');
    const again = (await inside('one', show.replaceAll('$1', 'self'))).stdout.split('\n');
    expect(again.slice(1, 6)).toEqual([mnt, pid, ipc, uts, net]);
    expect(rest).toEqual(['/etc', '2-', 'inside', '']);
    expect(readFileSync('/proc/sys/kernel/hostname', 'utf8')).not.toBe('inside\n');
  });

  it('exec, run, shell and test join', async () => {
    await start('one');
    const shell = await owner.run(['shell', 'instance://one'], { input: 'echo in a shell; exit 7\n' });
    expect(shell).toMatchObject({ status: 7, stdout: 'in a shell\n' });
    expect((await owner.run(['test', 'instance://one'])).status).toBe(0);
    const child = spawn(PROGRAM, ['run', 'instance://one', 'word'], {
      env: { HOME: owner.home, PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', 'inherit'],
      ...asUser,
    });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('run word\n');
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
  });

  it('status, messages and signals of who joined are its own', async () => {
    await start('one');
    expect((await inside('one', 'exit 17')).status).toBe(17);
    expect((await inside('one', 'kill -KILL $$')).signal).toBe('SIGKILL');
    expect(await owner.run(['exec', 'instance://one', 'nope'])).toMatchObject({
      status: 255,
      stderr: 'FATAL:   "nope": executable file not found in $PATH\n',
    });
    expect(await owner.run(['exec', '--cwd', '/nope', 'instance://one', 'true'])).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('entering directory /nope: No such file or directory'),
    });
  });

  it('kill -9 of who joined takes the program with it, and the end of the instance takes who joined', async () => {
    await start('one');
    const join_ = (): ReturnType<typeof spawn> =>
      spawn(PROGRAM, ['exec', 'instance://one', 'sh', '-c', 'echo ready; exec sleep 4321'], {
        env: { HOME: owner.home, PATH: '/usr/bin:/bin' },
        stdio: ['ignore', 'pipe', 'inherit'],
        ...asUser,
      });
    const sleepers = async (): Promise<number> =>
      (await inside('one', 'ps')).stdout.split('\n').filter((line) => line.endsWith('sleep 4321')).length;
    const first = join_();
    await once(first.stdout ?? first, 'data');
    // Both programs have said that they are ready before they become the one that sleeps.
    for (let found = 0; found !== 2;) found = await sleepers();
    first.kill('SIGKILL');
    await once(first, 'exit');
    for (let left = 2; left !== 1;) left = await sleepers();
    const second = join_();
    await once(second.stdout ?? second, 'data');
    const ended = once(second, 'exit');
    await owner.run(['instance', 'stop', '-F', 'one']);
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  it('process 1 reaps, and shows nobody what it was started with', async () => {
    await start('one', '(sleep 0.01 &); (sleep 0.01 &)', ['--cleanenv']);
    await inside('one', '(sleep 0.01 &); (sleep 0.01 &)');
    for (let left = ''; left !== 'none\n';)
      left = (await inside('one', 'grep -l "^State:.Z" /proc/[0-9]*/status || echo none')).stdout;
    const looked = await inside('one', 'cat /proc/1/environ; ls /proc/1/fd /proc/1/root/; ls -l /proc/1/exe');
    expect(looked.stdout).not.toContain('HOME=');
    expect(looked.stderr.match(/Permission denied/g)?.length).toBeGreaterThanOrEqual(3);
  });

  it('a script that ends well leaves the instance, one that fails ends it', async () => {
    const pid = await start('one', 'sleep 4321 & exit 0');
    expect((await inside('one', 'ps')).stdout).toContain('sleep 4321');
    expect(isRunning(pid)).toBe(true);
    const started = await owner.run(['instance', 'start', scene.image, 'two', 'exit 3']);
    expect(started.status).toBe(0);
    await eventually('the record to be gone', () => !readdirSync(owner.records).includes('two'));
    // What is left is ended by the signal, long before it would be killed.
    expect((await owner.run(['instance', 'stop', '-s', 'TERM', '-t', '1000', 'one'])).status).toBe(0);
  });

  it('instance run starts the runscript', async () => {
    expect(await owner.run(['instance', 'run', scene.image, 'one', 'a', 'b'])).toMatchObject({
      status: 0,
    });
    await eventually('the log to be written', () => logOf('one', 'out') !== '');
    expect(logOf('one', 'out')).toBe('run a b\n');
  });

  it('outlives the session and the group that it was started in', async () => {
    const shell = spawn(
      'sh',
      ['-c', '"$0" instance start "$1" one; echo ready; sleep 4321', PROGRAM, scene.image],
      {
        env: { HOME: owner.home, PATH: '/usr/bin:/bin' },
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
        ...asUser,
      },
    );
    await once(shell.stdout, 'data');
    process.kill(-(shell.pid ?? 0), 'SIGHUP');
    await once(shell, 'exit');
    const [found] = await owner.list();
    expect(isRunning(found?.pid ?? 0)).toBe(true);
  });

  it('a start that cannot be set up says why, and leaves nothing', async () => {
    expect(await owner.run(['instance', 'start', '-B', '/etc/hosts:/bin', scene.image, 'one'])).toMatchObject(
      {
        status: 255,
        stderr: expect.stringMatching(/^FATAL: {3}while binding \/etc\/hosts to \/bin: /m),
      },
    );
    expect(readdirSync(owner.records)).toEqual(['+lock']);
    await start('one');
  });

  /** The record of an instance that has no process 1 yet. */
  const beginning = (): string[] => {
    try {
      const record = readFileSync(join(owner.records, 'one/one.json'), 'utf8');
      return record.includes('"pid":0,') ? [record] : [];
    } catch {
      return [];
    }
  };

  it('a start that is killed at any moment leaves a whole instance or none', async () => {
    for (let delay = 0; delay < 40; delay += 4) {
      const child = spawn(PROGRAM, ['instance', 'start', scene.image, 'one'], {
        env: { HOME: owner.home, PATH: '/usr/bin:/bin' },
        stdio: 'ignore',
        ...asUser,
      });
      setTimeout(() => child.kill('SIGKILL'), delay);
      await once(child, 'exit');
      // What goes on without it has its words first, and then a record that says that the instance begins.
      await eventually('the start to be over', () => [
        ...processesWith(`instance start ${scene.image} one`),
        ...beginning(),
      ]);
      for (const { pid } of await owner.list()) expect(isRunning(pid)).toBe(true);
      await owner.leave();
    }
  });

  it('what a start has left that was killed while it took its name goes with the next command', async () => {
    await start('one');
    const begun = join(owner.records, 'begun');
    mkdirSync(begun);
    writeFileSync(join(begun, '+1'), '{');
    if (ROOT) chownSync(begun, ordinaryId(), ordinaryId());
    expect((await owner.list()).map(({ instance }) => instance)).toEqual(['one']);
    expect(readdirSync(owner.records).sort()).toEqual(['+lock', 'one']);
  });

  it('files are for nobody else', async () => {
    const configuration = join(owner.home, '.singularity');
    await start('one');
    chmodSync(configuration, 0o755);
    await start('two');
    const modes = (path: string): readonly string[] =>
      readdirSync(path, { recursive: true, withFileTypes: true }).map((entry) => {
        const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777;
        return `${entry.isDirectory() ? 'folder' : 'file'} ${mode.toString(8)}`;
      });
    expect(statSync(configuration).mode & 0o777).toBe(0o700);
    expect([...new Set(modes(configuration))].sort()).toEqual(['file 600', 'folder 700']);
  });

  it('--fakeroot instances are joined as their root', async () => {
    await start('one', '', ['--fakeroot']);
    const joined = await inside('one', 'id -u; pwd; echo $HOME; grep NoNew /proc/self/status', [
      '--cwd',
      '/',
    ]);
    expect(joined.stdout).toBe('0\n/\n/root\nNoNewPrivs:\t1\n');
  });
});
