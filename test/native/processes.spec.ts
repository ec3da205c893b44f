import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, PROGRAM, skipContainers } from '../support/containers.js';
import { commandWithFuse, ENVIRONMENT, makeSquashfs, serverIdle, skipFuse } from '../support/fuse.js';
import { childrenOf, eventually, processesWith } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary.js';

const asUser = process.getuid?.() === 0 ? { uid: ordinaryId(), gid: ordinaryId() } : {};

/** What became of a start that may fail, but not without a sentence. */
function outcome(ended: SpawnSyncReturns<string>, sentence: RegExp): string {
  if (ended.status === 0) return 'it worked';
  return ended.status === 255 && sentence.test(ended.stderr)
    ? 'it said why not'
    : `${ended.status} ${ended.signal}: ${ended.stderr}`;
}

// What the shell that started the program sees of it: signals, ends, what is left.
describe.skipIf(skipContainers())('processes of a container', () => {
  let folder = '';
  let image = '';
  let remove = async (): Promise<void> => undefined;
  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    image = makeImage(folder);
  });
  afterAll(() => remove());

  /** Starts a command in the container and waits until it has said `ready`; what comes before that is `first`. */
  const startReady = async (words: readonly string[], script: string, first = ':'): Promise<ChildProcess> => {
    const child = spawn(PROGRAM, ['exec', ...words, image, 'sh', '-c', `${first}; echo ready; ${script}`], {
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'inherit'],
      ...asUser,
    });
    await once(child.stdout, 'data');
    return child;
  };
  const endOf = async (child: ChildProcess): Promise<unknown[]> => once(child, 'exit');
  const ofThisTest = (): string[] => processesWith(folder);
  const nothingIsLeft = (): Promise<void> => eventually('no process of the container to be left', ofThisTest);

  it('without a PID namespace the program itself becomes the payload', async () => {
    const child = await startReady([], 'exec sleep 1000');
    await eventually(
      'the payload to be there',
      () => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8') === 'sleep\u00001000\u0000',
    );
    child.kill('SIGTERM');
    expect(await endOf(child)).toEqual([null, 'SIGTERM']);
    await nothingIsLeft();
  });

  it.each(['SIGTERM', 'SIGUSR1', 'SIGINT', 'SIGHUP', 'SIGWINCH'] as const)(
    'with --pid %s reaches the payload',
    async (name) => {
      const short = name.slice('SIG'.length);
      const child = await startReady(['-p'], 'while :; do sleep 0.05; done', `trap 'exit 33' ${short}`);
      child.kill(name);
      expect(await endOf(child)).toEqual([33, null]);
      await nothingIsLeft();
    },
  );

  it('with --pid a payload that dies of a signal gives 128 and its number', async () => {
    const child = await startReady(['-p'], 'exec sleep 1000');
    child.kill('SIGTERM');
    expect(await endOf(child)).toEqual([143, null]);
  });

  it('with --pid --no-init a payload that is killed ends the program by the same signal', async () => {
    const child = await startReady(['-p', '--no-init'], 'while :; do sleep 0.05; done');
    // Its child, and not what looks like it: the same test may run elsewhere on this machine.
    const [payload, ...others] = childrenOf(child.pid ?? Number.NaN);
    expect(others).toEqual([]);
    process.kill(payload ?? Number.NaN, 'SIGKILL');
    expect(await endOf(child)).toEqual([null, 'SIGKILL']);
    await nothingIsLeft();
  });

  it('kill -9 of the waiting program takes the whole PID namespace with it', async () => {
    const child = await startReady(['-p'], 'sleep 1000 & setsid sleep 1000 & sleep 1000');
    child.kill('SIGKILL');
    expect(await endOf(child)).toEqual([null, 'SIGKILL']);
    await nothingIsLeft();
  });

  it('with --pid what the payload left running ends with it', async () => {
    const child = await startReady(['-p'], 'sleep 1000 & exit 4');
    expect(await endOf(child)).toEqual([4, null]);
    await nothingIsLeft();
  });

  it('with --pid the payload sees nothing of what the program was given', () => {
    const ended = spawnSync(
      PROGRAM,
      ['exec', '-p', '--cleanenv', image, 'sh', '-c', 'cat /proc/1/environ; ls /proc/1/fd'],
      {
        cwd: '/',
        env: { ...ENVIRONMENT, SECRET: 'of the host' },
        encoding: 'utf8',
        ...asUser,
      },
    );
    expect(ended.stdout).toBe('');
    expect(ended.stderr.match(/Permission denied/g)).toHaveLength(2);
  });

  it('with --pid a stopped program is stopped for its shell, and goes on', async () => {
    const child = await startReady(['-p'], 'while :; do sleep 0.05; done', 'trap "exit 5" USR1');
    const state = (): string => readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? '';
    child.kill('SIGTSTP');
    await eventually('the program to stop', () => state() === 'T');
    child.kill('SIGCONT');
    child.kill('SIGUSR1');
    expect(await endOf(child)).toEqual([5, null]);
  });

  it('a caller that ignores SIGCHLD is waited for all the same', () => {
    const shell = `trap '' CHLD; exec "$0" "$@"`;
    const ended = spawnSync('sh', ['-c', shell, PROGRAM, 'exec', '-p', image, 'sh', '-c', 'exit 6'], {
      cwd: '/',
      env: ENVIRONMENT,
      timeout: 20_000,
      ...asUser,
    });
    expect(ended.status).toBe(6);
  });

  it.each([
    ['0', '<&-', 'test ! -t 0 && cat </dev/fd/0 | wc -c', '0\n'],
    ['2', '2>&-', 'echo out', 'out\n'],
    ['0 and 2', '<&- 2>&-', 'readlink /proc/self/fd/0; readlink /proc/self/fd/2', '/dev/null\n/dev/null\n'],
  ])('closed standard descriptors (%s) are /dev/null inside', (_what, closing, script, expected) => {
    const shell = `exec "$0" exec "$1" sh -c '${script}' ${closing}`;
    const ended = spawnSync('sh', ['-c', shell, PROGRAM, image], {
      cwd: '/',
      env: ENVIRONMENT,
      encoding: 'utf8',
      timeout: 20_000,
      ...asUser,
    });
    expect(ended).toMatchObject({ status: 0, stdout: expected });
  });

  it('a descriptor that the caller left open is there, close-on-exec ones are not', () => {
    const shell = 'exec 7</etc/hostname; exec "$0" exec "$1" sh -c "cat <&7"';
    const ended = spawnSync('sh', ['-c', shell, PROGRAM, image], {
      cwd: '/',
      env: ENVIRONMENT,
      encoding: 'utf8',
      ...asUser,
    });
    expect(ended.stdout).toBe(readFileSync('/etc/hostname', 'utf8'));
  });

  it.each([
    ['077', [], '0077\n'],
    ['002', [], '0002\n'],
    ['077', ['--no-umask'], '0022\n'],
  ])('umask %s with %j is %s inside', (mask, words, expected) => {
    const shell = `umask ${mask}; exec "$0" exec "$@" sh -c umask`;
    const ended = spawnSync('sh', ['-c', shell, PROGRAM, ...words, image], {
      cwd: '/',
      env: ENVIRONMENT,
      encoding: 'utf8',
      ...asUser,
    });
    expect(ended.stdout).toBe(expected);
  });

  it('resource limits pass through', () => {
    const shell = 'ulimit -S -n 77; ulimit -S -s 4096; exec "$0" exec "$1" sh -c "ulimit -n; ulimit -s"';
    const ended = spawnSync('sh', ['-c', shell, PROGRAM, image], {
      cwd: '/',
      env: ENVIRONMENT,
      encoding: 'utf8',
      ...asUser,
    });
    expect(ended.stdout).toBe('77\n4096\n');
  });

  it.each([3, 5, 8])('with only %i descriptors it works, or says why it does not', (limit) => {
    const shell = `ulimit -n ${limit}; exec "$0" exec "$1" true`;
    const ended = spawnSync('sh', ['-c', shell, PROGRAM, image], {
      cwd: '/',
      env: ENVIRONMENT,
      encoding: 'utf8',
      ...asUser,
    });
    expect(outcome(ended, /^FATAL: {3}/m)).toMatch(/^(it worked|it said why not)$/);
  });

  it('arguments and variables near the limit of the kernel end with a sentence', () => {
    const ended = spawnSync(PROGRAM, ['exec', image, 'true', 'x'.repeat(120_000)], {
      cwd: '/',
      env: Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`V${i}`, 'y'.repeat(120_000)])),
      encoding: 'utf8',
      ...asUser,
    });
    expect(outcome(ended, /^FATAL: {3}.*Argument list too long/im)).toMatch(/^(it worked|it said why not)$/);
  });

  it.skipIf(skipFuse())('kill -9 of a start from an image file leaves no server and no mount', async () => {
    mkdirSync(join(folder, 'own'));
    // What is killed below is found by its name: nobody else's sleep is of this length.
    const ownTime = `1000.${process.pid}`;
    const squashfs = makeSquashfs(image, join(folder, 'own/image.sqfs'));
    const [program = '', ...args] = commandWithFuse(folder, 'open', [
      ...serverIdle(folder, 1),
      'exec',
      squashfs,
      'sh',
      '-c',
      `echo ready; sleep ${ownTime}`,
    ]);
    const child = spawn(program, args, {
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    // Servers are forked from the start and keep its command line, which names the image, and the payload.
    const isServer = (line: string): boolean => line.includes('sing-image');
    expect(processesWith(squashfs).some(isServer)).toBe(true);
    child.kill('SIGKILL');
    await endOf(child);
    // The shell's child lives on as it would natively: it holds the mount until it ends as well.
    for (const line of processesWith(`sleep ${ownTime}`).filter((each) => !isServer(each)))
      process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    await eventually('the image server to end', () => processesWith(squashfs));
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(squashfs);
  });

  it('the end of the output does not wait for anything but the payload', async () => {
    const child = spawn(
      PROGRAM,
      ['exec', '-p', image, 'sh', '-c', 'echo said; exec >&- 2>&-; while :; do sleep 0.05; done'],
      {
        cwd: '/',
        env: ENVIRONMENT,
        stdio: ['ignore', 'pipe', 'pipe'],
        ...asUser,
      },
    );
    expect(await text(child.stdout)).toBe('said\n');
    child.kill('SIGKILL');
    await nothingIsLeft();
  });
});
