import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { lackingCgroups, makeCgroup, waysToKill } from '../support/cgroups.js';
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
import { mountsOf } from '../support/overlays.js';
import { skipped } from '../support/needs.js';
import { eventually, processesWith } from '../support/processes.js';
import { sifFixture } from '../support/sif-fixtures.js';

/** Listens at a path as a keeper would, and answers every request with an open /dev/null, or with the mount of another image. */
const IMPOSTOR = `
import ctypes, os, socket, subprocess, sys
path = sys.argv[1]
if len(sys.argv) > 2:
    subprocess.run(['mount', '-t', 'squashfs', '-o', 'loop,ro', sys.argv[2], '/mnt'], check=True)
    OPEN_TREE, HERE, CLONE = 428, -100, 1
    given = ctypes.CDLL(None).syscall(OPEN_TREE, HERE, b'/mnt', CLONE)
else:
    given = os.open('/dev/null', os.O_RDONLY)
os.unlink(path)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(path)
listener.listen(16)
print('ready', flush=True)
while True:
    connection = listener.accept()[0]
    if connection.recv(65536):
        socket.send_fds(connection, [b'.'], [given])
`;

const ROOT = process.getuid?.() === 0;

/** Seconds: as long as a test may take. How long a busy machine takes from one start to the next is nobody's to say. */
const LONG = 60;

/** Whose starts share: an ordinary user's have a keeper and a FUSE server, root's a keeper alone, of what the kernel has mounted. */
const WHOSE = [
  { whose: 'an ordinary user', device: 'open', processes: 2 },
  { whose: 'root', device: 'root', processes: 1 },
] as const;

// Starts of one user that share the mount of an image, and what happens when who keeps it dies, hangs, or may not be shared.
describe.skipIf(skipContainers() || skipFuse()).each(ROOT ? WHOSE : WHOSE.slice(0, 1))(
  'a shared image server of $whose',
  ({ device, processes }) => {
    const byKernel = device === 'root';
    /** The runtime folder of one test. Keys contain the file, so no test meets the server of another. */
    let runtime = '';

    const files = useImageFiles(
      (folder) => {
        // More than what a start reads ahead, so that a file is not in memory before it was asked for.
        const tree = makeImage(folder, { first: 'first\n', second: 'second\n', large: 'x'.repeat(300_000) });
        return makeSquashfs(tree, join(folder, 'whole.sqfs'), '-comp', 'zstd');
      },
      // Each test has an image and a runtime folder of its own, so that only the last one waits for the idle time of all.
      () =>
        nothingIsLeft(
          files.folder,
          readdirSync(files.folder).filter((name) => name.startsWith('run-')),
        ),
      'last',
    );
    beforeEach(() => {
      runtime = files.own(`run-${files.number}`);
      if (byKernel) chownSync(runtime, 0, 0);
    });

    /** Keeper, and server if there is one: they are forked from a start, whose command line they keep. */
    const servers = (): string[] =>
      processesWith('sing-image')
        .filter((line) => line.includes(files.image))
        .map((line) => line.split(' ')[0] ?? '')
        .sort();
    const parentOf = (pid: string): string =>
      /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
    /** The keeper is the parent of the server. Without a server both are the keeper. */
    const pair = (): { keeper: number; server: number } => {
      const [one = '', other = ''] = servers();
      const keeper = other !== '' && parentOf(one) === other ? other : one;
      return { keeper: Number(keeper), server: Number(keeper === one && other !== '' ? other : one) };
    };
    /** Of the image of the test, or of all that are in a folder. */
    const nothingIsLeft = (
      of = files.image,
      runtimes: readonly string[] = [`run-${files.number}`],
    ): Promise<void> =>
      eventually('nothing of the servers to be left', () => [
        ...processesWith(of),
        ...mountsOf(of),
        ...runtimes
          .map((name) => join(files.folder, name))
          .filter((path) => existsSync(join(path, 'sing')))
          .flatMap((path) => readdirSync(path, { recursive: true, encoding: 'utf8' })),
      ]);

    const run = (words: readonly string[]): Promise<Ended> =>
      runWithFuse(files.folder, device, words, { XDG_RUNTIME_DIR: runtime });
    const exec = (idle: number, words: readonly string[], flags: readonly string[] = []): Promise<Ended> =>
      run([...serverIdle(files.folder, idle), ...flags, 'exec', files.image, ...words]);
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
      const child = files.start(device, words, { XDG_RUNTIME_DIR: runtime }, prefix);
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
    /** An idle time for servers that are there until they are ended behind the test. */
    const staying = (): number => {
      onTestFinished(async () => {
        for (const line of files.processes()) kill(line.split(' ')[0] ?? '');
        await eventually('what stayed to be ended', () => files.processes());
        rmSync(join(runtime, 'sing'), { recursive: true, force: true });
      });
      return LONG;
    };
    const WORKS = { status: 0, signal: null, stdout: 'first\n', stderr: '' };

    it('serves one start after the other', async () => {
      const idle = staying();
      expect(await exec(idle, ['cat', '/first'])).toEqual(WORKS);
      const before = servers();
      expect(before).toHaveLength(processes);
      expect(await exec(idle, ['cat', '/first'])).toEqual(WORKS);
      expect(servers()).toEqual(before);
    });

    it('ends when no start came for the idle time', async () => {
      const container = await reader(1);
      expect(servers()).toHaveLength(processes);
      await leave(container);
      await nothingIsLeft();
    });

    it('stays as long as a container lives, beyond the idle time', async () => {
      const container = await reader(1);
      const before = servers();
      // Longer than the idle time, by a start that shares nothing.
      expect(await exec(0, ['sh', '-c', 'sleep 1.5; cat /first'])).toEqual(WORKS);
      expect(servers()).toEqual(expect.arrayContaining(before));
      expect(await exec(1, ['sh', '-c', 'sleep 1.5; cat /first'])).toEqual(WORKS);
      expect(servers()).toEqual(before);
      await leave(container);
    });

    it('serves what a container left running after its end', async () => {
      const script =
        '(while [ ! -e "$0" ]; do sleep 0.1; done; cat /second >"$0.out") </dev/null >/dev/null 2>&1 & echo ready; read -r line';
      const flag = join(files.own(`flag-${files.number}`), 'flag');
      const bind = ['--bind', join(flag, '..')];
      const words = [...serverIdle(files.folder, 1), 'exec', ...bind, files.image, 'sh', '-c', script, flag];
      const child = files.start(device, words, { XDG_RUNTIME_DIR: runtime });
      const closed = once(child, 'close');
      expect(String((await once(child.stdout, 'data'))[0])).toBe('ready\n');
      const { keeper } = pair();
      child.stdin.end('go\n');
      expect(await closed).toEqual([0, null]);
      // The keeper ends; what serves the mount goes on with it.
      await eventually('the keeper to end', () =>
        processesWith('sing-image').every((line) => !line.startsWith(`${keeper} `)),
      );
      expect(servers()).toHaveLength(processes - 1);
      // What is below the container's root shows in no list of mounts; the loop device does.
      expect(mountsOf(files.image)).toHaveLength(byKernel ? 1 : 0);
      writeFileSync(flag, '');
      await eventually(
        'the file to be read',
        () => existsSync(`${flag}.out`) && readFileSync(`${flag}.out`, 'utf8') === 'second\n',
      );
    });

    it('is none with an idle time of 0', async () => {
      expect(await exec(0, ['cat', '/first'])).toEqual(WORKS);
      expect(readdirSync(runtime)).toEqual([]);
    });

    it.skipIf(byKernel)('is none with --fakeroot', async () => {
      const words = [
        ...serverIdle(files.folder, 5),
        '-s',
        'exec',
        '--fakeroot',
        files.image,
        'cat',
        '/first',
      ];
      expect(await run(words)).toMatchObject({ status: 0, stdout: 'first\n' });
      expect(readdirSync(runtime)).toEqual([]);
    });

    it('is another one for a start with other limits, and works with little memory and few descriptors', async () => {
      const container = await reader(1);
      const limited = (limits: string): string[] => ['sh', '-c', `ulimit ${limits} && exec "$@"`, 'sh'];
      for (const limits of ['-v 600000', '-n 24', '-t 5']) {
        const before = servers();
        const other = await reader(1, limited(limits));
        expect(servers().filter((pid) => !before.includes(pid))).toHaveLength(processes);
        expect(await other.read('/second')).toBe('second\n');
        await leave(other);
      }
      await leave(container);
    });

    it('says what is wrong with an image that it cannot read, and is not there then', async () => {
      writeFileSync(files.image, readFileSync(files.whole).subarray(0, 400_000));
      const ended = await exec(5, ['cat', '/first'], ['-v']);
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(
        byKernel
          ? /not mounted by shared: make the squashfs.*: Invalid argument\n/
          : /not mounted by shared: The squashfs of the image is damaged: its tables cannot be read/,
      );
      await nothingIsLeft();
    });

    it('is not that of a file that changed', async () => {
      const idle = staying();
      expect(await exec(idle, ['cat', '/first'])).toEqual(WORKS);
      const before = servers();
      copyFileSync(files.whole, files.image);
      expect(await exec(idle, ['cat', '/first'])).toEqual(WORKS);
      expect(servers().filter((pid) => !before.includes(pid))).toHaveLength(processes);
    });

    it('leaves a container its file when another one takes the place, and is not that of the other one', async () => {
      const container = await reader(1);
      const tree = makeImage(files.own(`tree-${files.number}`), { first: 'other\n' });
      renameSync(makeSquashfs(tree, join(files.folder, `other-${files.number}.sqfs`)), files.image);
      expect(await exec(1, ['cat', '/first'])).toMatchObject({ status: 0, stdout: 'other\n' });
      expect(await container.read('/second')).toBe('second\n');
      await leave(container);
    });

    it.runIf(byKernel)(
      'leaves a container its mount when an administrator takes the loop device',
      async () => {
        const container = await reader(1);
        const [device = ''] = mountsOf(files.image);
        expect(device).toMatch(/^loop\d+ shows /);
        execFileSync('losetup', ['-d', `/dev/${device.split(' ')[0]}`]);
        expect(await container.read('/second')).toBe('second\n');
        expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
        await leave(container);
      },
    );

    it.runIf(byKernel)('is said to be the choice, also of a part of a file', async () => {
      const sif = join(files.folder, `image-${files.number}-.sif`);
      writeFileSync(sif, sifFixture('images/with-overlay-squashfs.sif'));
      const idle = staying();
      for (let start = 0; start < 2; start += 1) {
        const ended = await run([...serverIdle(files.folder, idle), '-v', 'exec', sif, '/bin/true']);
        expect(ended.stderr.match(/mounted by \w+/g)).toEqual(['mounted by shared', 'mounted by shared']);
      }
      expect(mountsOf(sif)).toHaveLength(2);
      for (const line of files.processes()) kill(line.split(' ')[0] ?? '');
      await eventually('the loop devices to be free', () => mountsOf(sif));
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
      await exec(staying(), ['true']);
      const { keeper, server } = pair();
      const status = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'latin1');
      for (const [pid, capabilities] of [
        ...(byKernel ? [] : ([[server, '0000000000000000']] as const)),
        [keeper, '0000000000200000'],
      ] as const) {
        expect(status(pid)).toMatch(new RegExp(`^CapEff:\\t${capabilities}$`, 'm'));
        expect(status(pid)).toMatch(/^NoNewPrivs:\t1$/m);
        expect(status(pid)).toMatch(/^Seccomp:\t2$/m);
      }
      // What the keeper sees is an empty file system with the image in it.
      const mounts = readFileSync(`/proc/${keeper}/mountinfo`, 'utf8').trimEnd().split('\n');
      expect(mounts).toHaveLength(2);
      expect(new Set(mounts.map((line) => line.split(' ')[4]))).toEqual(new Set(['/', '/image']));
      expect(mounts.find((line) => line.includes(' /image '))).toMatch(/ \/image ro,nosuid,nodev,/);
      // The right that it has is over that namespace, and nothing of the host.
      expect(readFileSync(`/proc/${keeper}/uid_map`, 'utf8').trim().split(/ +/)).toHaveLength(3);
      expect(readlinkSync(`/proc/${keeper}/ns/user`)).not.toBe(readlinkSync('/proc/self/ns/user'));
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

    it.skipIf(byKernel)(
      'that is killed takes the containers that it served with it, and no other',
      async () => {
        const container = await reader(1);
        process.kill(pair().server, 'SIGKILL');
        expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
        container.child.kill('SIGKILL');
        await container.closed;
      },
    );

    it.each(byKernel ? (['keeper'] as const) : (['keeper', 'server'] as const))(
      'whose %s is stopped holds no start up, and loses its name',
      async (which) => {
        const idle = staying();
        await exec(idle, ['true']);
        const stopped = pair();
        process.kill(stopped[which], 'SIGSTOP');
        const ended = await exec(idle, ['cat', '/first'], ['-v']);
        expect(ended).toMatchObject({ status: 0, stdout: 'first\n' });
        // Of a server that is stopped the keeper knows: the start gets another one.
        expect(ended.stderr.includes('wait for the image server: Connection timed out')).toBe(
          which === 'keeper',
        );
        // The next ones share again.
        expect(await exec(idle, ['cat', '/first'])).toEqual(WORKS);
        const fresh = servers();
        expect(await exec(idle, ['cat', '/first'])).toEqual(WORKS);
        expect(servers()).toEqual(fresh);
      },
    );

    it.skipIf(byKernel)(
      'is not asked again for what the kernel knows: files, their times, where links lead',
      async () => {
        const look = 'cat /first; ls -l /first /bin/cat';
        const words = ['sh', '-c', `${look}; read -r line; ${look}`];
        const child = files.start(device, [...serverIdle(files.folder, 1), 'exec', files.image, ...words], {
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
      },
    );

    it('is given up for an own server when another program of the user sits in its place', async () => {
      const idle = staying();
      expect(await exec(idle, ['true'])).toMatchObject({ status: 0 });
      const [name = ''] = readdirSync(join(runtime, 'sing'));
      for (const pid of servers()) kill(pid);
      const other = join(files.folder, `other-${files.number}.sqfs`);
      copyFileSync(files.whole, other);
      const impostor = ['python3', '-c', IMPOSTOR, join(runtime, 'sing', name)];
      const [program = '', ...words] = byKernel ? ['unshare', '--mount', ...impostor, other] : impostor;
      const child = spawn(program, words, {
        stdio: ['ignore', 'pipe', 'inherit'],
        ...(ROOT && !byKernel ? { uid: ordinaryId(), gid: ordinaryId() } : {}),
      });
      const gone = once(child, 'close');
      await once(child.stdout, 'data');
      onTestFinished(async () => {
        child.kill('SIGKILL');
        await gone;
      });
      // It sends a descriptor that is not the mount. Of a user's that is seen when the namespaces are made, and the own server comes from inside them.
      writeFileSync(join(files.folder, 'mark'), '');
      const look = lookThroughProcesses(join(files.folder, 'mark'), 'XDG_RUNTIME_DIR');
      const read = 'cat /first /second';
      for (const [flags, script, lines] of [
        [[], read, ['first', 'second']],
        [['-p'], read, ['first', 'second']],
        // The own server is seen, and shows nothing. Root has none, and may look into every process.
        ...(byKernel ? [] : ([[['-C'], look, ['sh', 'sing-image', 'sinit']]] as const)),
      ] as const) {
        const words = [
          ...serverIdle(files.folder, idle),
          '-v',
          'exec',
          ...flags,
          files.image,
          'sh',
          '-c',
          script,
        ];
        const ended = await run(words);
        expect([ended.status, ended.stdout.split('\n').filter(Boolean).toSorted()]).toEqual([0, lines]);
        expect(ended.stderr).toContain(
          `not mounted by shared: ${byKernel ? `Expected the kernel's mount of ${files.image}, got another one` : ''}`,
        );
        await eventually('the own server to end', servers);
      }
      child.kill('SIGKILL');
      await gone;
      expect(await exec(idle, ['cat', '/first'])).toEqual(WORKS);
    });

    it('leaves no descriptor to the payload, and serves one with --pid', async () => {
      const list = ['ls', '/proc/self/fd'];
      const idle = staying();
      expect(await exec(idle, list)).toEqual(await exec(0, list));
      const before = servers();
      const words = [...serverIdle(files.folder, idle), 'exec', '--pid', files.image, 'cat', '/first'];
      expect(await run(words)).toEqual(WORKS);
      expect(servers()).toEqual(before);
    });

    it('is one for 200 starts at once', async () => {
      const idle = staying();
      const all = await Promise.all(Array.from({ length: 200 }, () => exec(idle, ['cat', '/first'])));
      expect(all.filter((ended) => ended.status !== 0 || ended.stdout !== 'first\n')).toEqual([]);
      expect(servers()).toHaveLength(processes);
    });

    it('stands starts and itself being killed at any moment', async () => {
      for (let round = 0; round < 40; round += 1) {
        const words = [...serverIdle(files.folder, 1), 'exec', files.image, 'cat', '/first'];
        const [program = '', ...args] = commandWithFuse(files.folder, device, words);
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
                (path: string): void => {
                  mkdirSync(path, { mode: 0o700 });
                  if (byKernel) chownSync(path, ordinaryId(), ordinaryId());
                },
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
        // It is not the program's, which leaves it.
        rmSync(join(runtime, 'sing'), { recursive: true });
      });
    });

    const noGroups = lackingCgroups();
    it.skipIf(noGroups).each(waysToKill())(
      `is another one in another cgroup: a job that is ended by %s leaves the other alone${skipped(noGroups)}`,
      async (by) => {
        const one = makeCgroup('one');
        const other = makeCgroup('other');
        const jobs = [one, other];
        try {
          const first = await reader(1, one.inside);
          const second = await reader(1, other.inside);
          // What each has is in its own cgroup.
          const all = servers();
          expect(all).toHaveLength(2 * processes);
          for (const job of jobs)
            expect(all.filter((pid) => job.processes().includes(pid))).toHaveLength(processes);
          await one.kill(by);
          await first.closed;
          // Which was not read before.
          expect(await second.read('/second')).toBe('second\n');
          expect(await second.read('/first')).toBe('first\n');
          expect(second.child.exitCode).toBeNull();
          expect(servers()).toEqual(all.filter((pid) => other.processes().includes(pid)));
          await leave(second);
          // The next start takes away the socket of the server that was killed.
          expect(await exec(1, ['cat', '/first'])).toEqual(WORKS);
          await nothingIsLeft();
        } finally {
          for (const job of jobs) await job.remove();
        }
      },
    );
  },
);

function kill(pid: string): void {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
