import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, skipContainers, type Ended } from '../support/containers.js';
import {
  commandWithFuse,
  ENVIRONMENT,
  makeSquashfs,
  runWithFuse,
  serverIdle,
  skipFuse,
} from '../support/fuse.js';
import { useImageFiles } from '../support/image-files.js';
import { lookThroughProcesses } from '../support/looking.js';
import { eventually, processesWith } from '../support/processes.js';

/** Listens at a path as an image server would, and answers every request with an open /dev/null. */
const IMPOSTOR = `
import os, socket, sys
path = sys.argv[1]
os.unlink(path)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(path)
listener.listen(16)
print('ready', flush=True)
null = os.open('/dev/null', os.O_RDONLY)
while True:
    connection = listener.accept()[0]
    if connection.recv(65536):
        socket.send_fds(connection, [b'.'], [null])
`;

const ROOT = process.getuid?.() === 0;

// Starts of one user that share the FUSE server of an image, and what happens when it dies, hangs, or may not be shared.
describe.skipIf(skipContainers() || skipFuse())('a shared image server', () => {
  /** The runtime folder of one test. Keys contain the file, so no test meets the server of another. */
  let runtime = '';

  const files = useImageFiles(
    (folder) => {
      // More than what a start reads ahead, so that a file is not in memory before it was asked for.
      const tree = makeImage(folder, { first: 'first\n', second: 'second\n', large: 'x'.repeat(300_000) });
      return makeSquashfs(tree, join(folder, 'whole.sqfs'), '-comp', 'zstd');
    },
    () => nothingIsLeft(),
  );
  beforeEach(() => {
    runtime = files.own(`run-${files.number}`);
  });

  /** Keeper and server of the image: they are forked from a start, whose command line they keep. */
  const servers = (): string[] =>
    processesWith('sing-image')
      .filter((line) => line.includes(files.image))
      .map((line) => line.split(' ')[0] ?? '')
      .sort();
  const parentOf = (pid: string): string =>
    /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
  /** The keeper is the parent of the server. */
  const pair = (): { keeper: number; server: number } => {
    const [one = '', other = ''] = servers();
    const keeper = parentOf(one) === other ? other : one;
    return { keeper: Number(keeper), server: Number(keeper === one ? other : one) };
  };
  const nothingIsLeft = (): Promise<void> =>
    eventually('nothing of the servers to be left', () => [
      ...processesWith(files.image),
      ...(runtime !== '' && existsSync(join(runtime, 'sing'))
        ? readdirSync(runtime, { recursive: true })
        : []),
    ]);

  const exec = (idle: number, words: readonly string[], flags: readonly string[] = []): Promise<Ended> =>
    runWithFuse(
      files.folder,
      'open',
      [...serverIdle(files.folder, idle), ...flags, 'exec', files.image, ...words],
      {
        XDG_RUNTIME_DIR: runtime,
      },
    );
  /** A container that reads the files it is told, until its input ends. */
  const reader = async (
    idle: number,
    prefix: readonly string[] = [],
  ): Promise<{
    child: ChildProcessWithoutNullStreams;
    closed: Promise<unknown>;
    read: (path: string) => Promise<string>;
  }> => {
    const script = 'echo ready; while read -r path; do cat "$path" 2>&1 | head -n 1; done';
    const words = [...serverIdle(files.folder, idle), 'exec', files.image, 'sh', '-c', script];
    const child = files.start('open', words, { XDG_RUNTIME_DIR: runtime }, prefix);
    const closed = once(child, 'close');
    child.stderr.pipe(process.stderr, { end: false });
    const said = async (): Promise<string> => String((await once(child.stdout, 'data'))[0]);
    expect(await said()).toBe('ready\n');
    return {
      child,
      closed,
      read: (path) => {
        child.stdin.write(`${path}\n`);
        return said();
      },
    };
  };
  const leave = async ({ child, closed }: Awaited<ReturnType<typeof reader>>): Promise<void> => {
    child.stdin.end();
    await closed;
  };
  const WORKS = { status: 0, signal: null, stdout: 'first\n', stderr: '' };

  it('serves one start after the other, and ends when none came for the idle time', async () => {
    expect(await exec(4, ['cat', '/first'])).toEqual(WORKS);
    const before = servers();
    expect(before).toHaveLength(2);
    expect(await exec(4, ['cat', '/first'])).toEqual(WORKS);
    expect(servers()).toEqual(before);
  });

  it('stays as long as a container lives, beyond the idle time', async () => {
    const container = await reader(1);
    const before = servers();
    expect(await exec(1, ['sh', '-c', 'sleep 1.5; cat /first'])).toEqual(WORKS);
    expect(servers()).toEqual(before);
    await leave(container);
  });

  it('serves what a container left running after its end', async () => {
    const script =
      '(while [ ! -e "$0" ]; do sleep 0.1; done; cat /second >"$0.out") </dev/null >/dev/null 2>&1 &';
    const flag = join(files.own(`flag-${files.number}`), 'flag');
    const bind = ['--bind', join(flag, '..')];
    const words = [...serverIdle(files.folder, 2), 'exec', ...bind, files.image, 'sh', '-c', script, flag];
    expect((await runWithFuse(files.folder, 'open', words, { XDG_RUNTIME_DIR: runtime })).status).toBe(0);
    const { keeper } = pair();
    // The keeper ends; what serves the mount goes on with it.
    await eventually('the keeper to end', () =>
      processesWith('sing-image').every((line) => !line.startsWith(`${keeper} `)),
    );
    expect(servers()).toHaveLength(1);
    writeFileSync(flag, '');
    await eventually(
      'the file to be read',
      () => existsSync(`${flag}.out`) && readFileSync(`${flag}.out`, 'utf8') === 'second\n',
    );
  });

  it('is none with an idle time of 0, and none with --fakeroot', async () => {
    expect(await exec(0, ['cat', '/first'])).toEqual(WORKS);
    const words = [...serverIdle(files.folder, 5), '-s', 'exec', '--fakeroot', files.image, 'cat', '/first'];
    expect(await runWithFuse(files.folder, 'open', words, { XDG_RUNTIME_DIR: runtime })).toMatchObject({
      status: 0,
      stdout: 'first\n',
    });
    expect(readdirSync(runtime)).toEqual([]);
  });

  it('is another one for a start with other limits, and works with little memory and few descriptors', async () => {
    const container = await reader(1);
    const limited = (limits: string): string[] => ['sh', '-c', `ulimit ${limits} && exec "$@"`, 'sh'];
    for (const limits of ['-v 600000', '-n 24', '-t 5']) {
      const before = servers();
      const other = await reader(1, limited(limits));
      expect(servers().filter((pid) => !before.includes(pid))).toHaveLength(2);
      expect(await other.read('/second')).toBe('second\n');
      await leave(other);
    }
    await leave(container);
  });

  it('says what is wrong with an image that it cannot read, and is not there then', async () => {
    writeFileSync(files.image, readFileSync(files.whole).subarray(0, 400_000));
    const ended = await exec(5, ['cat', '/first'], ['-v']);
    expect(ended).toMatchObject({ status: 255, stdout: '' });
    expect(ended.stderr).toContain(
      'not mounted by shared: The squashfs of the image is damaged: its tables cannot be read',
    );
    await nothingIsLeft();
  });

  it('is not that of a file that changed', async () => {
    expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
    const before = servers();
    copyFileSync(files.whole, files.image);
    expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
    expect(servers().filter((pid) => !before.includes(pid))).toHaveLength(2);
  });

  it('gives mounts that are read-only, nosuid and nodev', async () => {
    const { stdout } = await exec(1, ['cat', '/proc/self/mountinfo']);
    expect(stdout).toMatch(/ \/ \/ ro,nosuid,nodev,/);
    expect((await exec(1, ['touch', '/x'])).stderr).toContain('Read-only file system');
  });

  it('takes from a container nothing that a server of its own would not take', async () => {
    const own = await exec(0, ['grep', '-E', '^(Cap|NoNewPrivs|Seccomp)', '/proc/self/status']);
    expect(await exec(1, ['grep', '-E', '^(Cap|NoNewPrivs|Seccomp)', '/proc/self/status'])).toEqual(own);
  });

  it('is confined: its server has no capability, its keeper the one to copy mounts, in its own namespace', async () => {
    await exec(3, ['true']);
    const { keeper, server } = pair();
    const status = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'latin1');
    for (const [pid, capabilities] of [
      [server, '0000000000000000'],
      [keeper, '0000000000200000'],
    ] as const) {
      expect(status(pid)).toMatch(new RegExp(`^CapEff:\\t${capabilities}$`, 'm'));
      expect(status(pid)).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status(pid)).toMatch(/^Seccomp:\t2$/m);
    }
    // What the keeper sees is an empty file system with the image in it.
    const mounts = readFileSync(`/proc/${keeper}/mountinfo`, 'utf8').trimEnd().split('\n');
    expect(mounts.map((line) => line.split(' ')[4])).toEqual(['/', '/image']);
    expect(mounts[1]).toMatch(/ \/image ro,nosuid,nodev,/);
  });

  it('that is killed leaves containers their mount when it was the keeper, and the next start a new server', async () => {
    const container = await reader(1);
    const { keeper } = pair();
    process.kill(keeper, 'SIGKILL');
    expect(await container.read('/second')).toBe('second\n');
    expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
    expect(await container.read('/first')).toBe('first\n');
    await leave(container);
  });

  it('that is killed takes the containers that it served with it, and no other', async () => {
    const container = await reader(1);
    process.kill(pair().server, 'SIGKILL');
    expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
    container.child.kill('SIGKILL');
    await container.closed;
  });

  it.each(['keeper', 'server'] as const)(
    'whose %s is stopped holds no start up, and loses its name',
    async (which) => {
      await exec(4, ['true']);
      const stopped = pair();
      process.kill(stopped[which], 'SIGSTOP');
      const ended = await exec(4, ['cat', '/first'], ['-v']);
      expect(ended).toMatchObject({ status: 0, stdout: 'first\n' });
      // Of a server that is stopped the keeper knows: the start gets another one.
      expect(ended.stderr.includes('wait for the image server: Connection timed out')).toBe(
        which === 'keeper',
      );
      // The next ones share again.
      expect(await exec(4, ['cat', '/first'])).toEqual(WORKS);
      const fresh = servers();
      expect(await exec(4, ['cat', '/first'])).toEqual(WORKS);
      expect(servers()).toEqual(fresh);
      for (const pid of Object.values(stopped)) kill(String(pid));
    },
  );

  it('is not asked again for what the kernel knows: files, their times, where links lead', async () => {
    const look = 'cat /first; ls -l /first /bin/cat';
    const words = ['sh', '-c', `${look}; read -r line; ${look}`];
    const child = files.start('open', [...serverIdle(files.folder, 4), 'exec', files.image, ...words], {
      XDG_RUNTIME_DIR: runtime,
    });
    let told = '';
    child.stdout.on('data', (bytes) => (told += String(bytes)));
    const lines = (): string[] => told.split('\n').slice(0, -1);
    await eventually('what was asked to be told', () => (lines().length === 3 ? [] : [told]));
    const { server } = pair();
    process.kill(server, 'SIGSTOP');
    try {
      child.stdin.end('\n');
      await eventually('it to be told again', () => (lines().length === 6 ? [] : [told]));
    } finally {
      process.kill(server, 'SIGCONT');
    }
    expect(lines().slice(3)).toEqual(lines().slice(0, 3));
  });

  it('is given up for an own server when another program of the user sits in its place', async () => {
    expect(await exec(1, ['true'])).toMatchObject({ status: 0 });
    const [name = ''] = readdirSync(join(runtime, 'sing'));
    for (const pid of servers()) kill(pid);
    const child = spawn('python3', ['-c', IMPOSTOR, join(runtime, 'sing', name)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(ROOT ? { uid: ordinaryId(), gid: ordinaryId() } : {}),
    });
    try {
      await once(child.stdout, 'data');
      // It sends a descriptor that is no mount: by then the namespaces are made, and the own server comes from inside them.
      writeFileSync(join(files.folder, 'mark'), '');
      const look = lookThroughProcesses(join(files.folder, 'mark'), 'XDG_RUNTIME_DIR');
      const read = 'cat /first /second';
      for (const [flags, script, lines] of [
        [[], read, ['first', 'second']],
        [['-p'], read, ['first', 'second']],
        // It is seen, and shows nothing.
        [['-C'], look, ['sh', 'sing-image', 'sinit']],
      ] as const) {
        const words = [
          ...serverIdle(files.folder, 1),
          '-v',
          'exec',
          ...flags,
          files.image,
          'sh',
          '-c',
          script,
        ];
        const ended = await runWithFuse(files.folder, 'open', words, { XDG_RUNTIME_DIR: runtime });
        expect([ended.status, ended.stdout.split('\n').filter(Boolean).toSorted()]).toEqual([0, lines]);
        expect(ended.stderr).toContain('not mounted by shared: ');
        await eventually('the own server to end', servers);
      }
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
  });

  it('leaves no descriptor to the payload, and serves one with --pid', async () => {
    const list = ['ls', '/proc/self/fd'];
    expect(await exec(4, list)).toEqual(await exec(0, list));
    const before = servers();
    const words = [...serverIdle(files.folder, 4), 'exec', '--pid', files.image, 'cat', '/first'];
    expect(await runWithFuse(files.folder, 'open', words, { XDG_RUNTIME_DIR: runtime })).toEqual(WORKS);
    expect(servers()).toEqual(before);
  });

  it('is one for 200 starts at once', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, () => exec(5, ['cat', '/first'])));
    expect(all.filter((ended) => ended.status !== 0 || ended.stdout !== 'first\n')).toEqual([]);
    expect(servers()).toHaveLength(2);
  });

  it('stands starts and itself being killed at any moment', async () => {
    for (let round = 0; round < 40; round += 1) {
      const words = [...serverIdle(files.folder, 1), 'exec', files.image, 'cat', '/first'];
      const [program = '', ...args] = commandWithFuse(files.folder, 'open', words);
      const child = spawn(program, args, {
        cwd: '/',
        env: { ...ENVIRONMENT, XDG_RUNTIME_DIR: runtime },
        stdio: 'ignore',
      });
      const closed = once(child, 'close');
      // The moments spread over the time that a start takes.
      setTimeout(() => child.kill('SIGKILL'), round / 2);
      await closed;
      if (round % 4 === 0) for (const pid of servers()) kill(pid);
    }
    expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
  });

  describe('in a folder that somebody else could have made', () => {
    it.each([
      [
        'a link',
        (path: string): void => symlinkSync(files.own(`elsewhere-${files.number}`), path),
        /ELOOP|symbolic link|Not a directory/,
      ],
      [
        'open to others',
        (path: string): void => void files.own(path.slice(files.folder.length + 1), 0o755),
        'to be of mode 0700 and user',
      ],
      ['a file', (path: string): void => writeFileSync(path, ''), 'Not a directory'],
      ...(ROOT
        ? ([
            [
              'of another user',
              (path: string): void => mkdirSync(path, { mode: 0o700 }),
              /mode 0700 and user|Permission denied/,
            ],
          ] as const)
        : []),
    ] as const)('%s, is not used: each start has its own', async (_, make, reason) => {
      make(join(runtime, 'sing'));
      const ended = await exec(1, ['cat', '/first'], ['-v']);
      expect(ended).toMatchObject({ status: 0, stdout: 'first\n' });
      expect(ended.stderr).toMatch(/not mounted by shared: /);
      expect(ended.stderr).toMatch(reason);
      await eventually('the own server to end', servers);
      for (const name of readdirSync(files.folder).filter((one) => one === `elsewhere-${files.number}`))
        expect(readdirSync(join(files.folder, name))).toEqual([]);
      runtime = '';
    });
  });

  const groups = cgroupParent();
  it.skipIf(groups === null)(
    'is another one in another cgroup: the end of one job leaves the other alone',
    async () => {
      const [one = '', other = ''] = ['one', 'other'].map((name) =>
        join(groups ?? '', `sing-test-${process.pid}-${name}`),
      );
      for (const path of [one, other]) mkdirSync(path);
      try {
        const inside = (path: string): string[] => [
          'sh',
          '-c',
          'echo $$ >"$0/cgroup.procs" && exec "$@"',
          path,
        ];
        const first = await reader(1, inside(one));
        const second = await reader(1, inside(other));
        expect(servers()).toHaveLength(4);
        for (const pid of readFileSync(join(one, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
          kill(pid);
        await first.closed;
        expect(await second.read('/second')).toBe('second\n');
        expect(servers()).toHaveLength(2);
        await leave(second);
        // The next start takes away the socket of the server that was killed.
        expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
        await nothingIsLeft();
      } finally {
        for (const path of [one, other])
          await eventually(
            'the cgroup to be empty',
            () => readFileSync(join(path, 'cgroup.procs'), 'utf8') === '',
          ).then(() => rmdirSync(path));
      }
    },
  );
});

function kill(pid: string): void {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

/** A cgroup of version 2 below which root may make others, or null. */
function cgroupParent(): string | null {
  if (!ROOT) return null;
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((one) => / - cgroup2 /.test(one) && / rw[, ]/.test(one));
  return line?.split(' ')[4] ?? null;
}
