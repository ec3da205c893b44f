import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAM, skipContainers, type Ended } from '../../support/containers.js';
import { eventually, processesWith } from '../../support/processes.js';
import { type Scene, useScene } from '../../support/rows.js';
import { isRoot } from '../../support/tester.js';

// Runtime contract §5.1: actions, exit status, streams. Each row as a user and, where that can be, as root.
describe.skipIf(skipContainers()).each(isRoot ? (['user', 'root'] as const) : (['user'] as const))(
  'rows of actions as %s',
  (as) => {
    const rows = useScene();
    const sh = (command: string, options: Parameters<Scene['sh']>[1] = {}): Promise<Ended> =>
      rows.scene.sh(command, { as, ...options });
    /** Starts the program in a process group of its own, and waits until its payload is there. */
    const startReady = async (words: readonly string[], script: string): Promise<ChildProcess> => {
      const child = spawn(PROGRAM, [...words, 'sh', '-c', `echo ready; ${script}`], {
        cwd: '/',
        env: rows.scene.environment(as === 'root'),
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
        ...(isRoot && as === 'user' ? { uid: rows.scene.user.uid, gid: rows.scene.user.gid } : {}),
      });
      await once(child.stdout, 'data');
      return child;
    };

    it.each([
      ['T001', 'exec $I true', 0, '', ''],
      ['T002', 'exec $I false', 1, '', ''],
      ['T003', "exec $I sh -c 'exit 200'", 200, '', ''],
      ['T004', 'exec $I /nope', 255, '', 'FATAL:   stat /nope: no such file or directory\n'],
      ['T005', 'exec $I nope', 255, '', 'FATAL:   "nope": executable file not found in $PATH\n'],
      ['T006', 'exec $I /etc/passwd', 255, '', 'FATAL:   "/etc/passwd": permission denied\n'],
      ['T011', "exec $I sh -c 'kill -TERM $$'", 143, '', 'Terminated\n'],
      ['T012', "exec $I sh -c 'kill -KILL $$'", 137, '', 'Killed\n'],
      ['T017', 'run $I a b', 0, 'run a b\n', ''],
      ['T020', 'shell $I <<E\nexit 7\nE', 7, '', ''],
      ['T022', 'test $I', 0, '', 'INFO:    No test script found in container, exiting\n'],
    ] as const)('%s: %s', async (_, words, status, stdout, stderr) => {
      expect(await sh(`sing ${words}`)).toMatchObject({ status, stdout, stderr });
    });

    it.each([
      ['T007', 'exec $I', 1, /usage|expected a command/i],
      ['T008', 'exec missing.sif true', 255, /^FATAL: {3}could not open image \/missing\.sif: No such file/],
      ['T009', 'exec --bogus $I true', 1, /unknown flag: --bogus/],
      ['T024', 'run --app nope $I', 1, /Could not locate the container application/],
      ['T028', 'exec -d $I true', 1, /unknown shorthand flag: 'd'/],
      ['T029', 'exec bogus://x true', 255, /^FATAL: {3}unsupported transport type: bogus/],
      ['T030', 'exec /etc/passwd true', 255, /^FATAL: {3}image format not recognized/],
      ['T031', 'exec / true', 255, /^FATAL: {3}\/ as sandbox is not authorized/],
    ] as const)('%s: %s is refused with a sentence', async (_, words, status, sentence) => {
      const ended = await sh(`sing ${words}`);
      expect(ended).toMatchObject({ status, stdout: '' });
      expect(ended.stderr).toMatch(sentence);
    });

    it('T010: words behind the command reach it', async () => {
      expect((await sh('sing exec $I ls -l /')).stdout).toMatch(/^drwx.* bin$/m);
    });

    it('T013, T014, T015: input, output and error pass; a closed input is an empty one', async () => {
      expect(await sh('echo hi | sing exec $I cat')).toMatchObject({ status: 0, stdout: 'hi\n' });
      const both = await sh(
        `sing exec $I sh -c 'echo o; echo e >&2' >"$0.o" 2>"$0.e"; cat "$0.o"; echo; cat "$0.e"`.replaceAll(
          '$0',
          `${rows.scene.work}/${as}`,
        ),
      );
      expect(both.stdout).toBe('o\n\ne\n');
      expect(await sh('sing exec $I cat <&-')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    });

    it('T016: a payload has descriptors 0, 1, 2 and its own', async () => {
      // Whoever runs the tests may have left others open: these reach it as they would reach any program.
      const direct = await sh('$S/bin/ls /proc/self/fd');
      expect((await sh('sing exec $I ls /proc/self/fd')).stdout).toBe(direct.stdout);
    });

    it('T018: the image file runs itself by its first line', async () => {
      const link = join(rows.scene.folder, `bin-${as}`);
      expect(
        (
          await sh(
            `mkdir -p ${link} && ln -sf ${PROGRAM} ${link}/run-singularity && PATH=${link}:$PATH $I a b`,
            { as: isRoot ? 'root' : as },
          )
        ).stdout,
      ).toBe('run a b\n');
    });

    it('T019: run without a runscript is the shell', async () => {
      const ended = await sh('echo echo here | sing run $S');
      expect(ended).toMatchObject({ status: 0, stdout: 'here\n' });
      expect(ended.stderr).toBe('INFO:    No runscript found in container, executing /bin/sh\n');
    });

    it('T021: a shell that is not there falls back to one of the image', async () => {
      expect(await sh('echo echo here | sing shell -s /bin/nope $I')).toMatchObject({
        status: 0,
        stdout: 'here\n',
      });
    });

    it('T023: a script without a first line is run by the shell', async () => {
      const image = rows.scene.image(`noshebang-${as}`, { 'opt/noshebang.sh': 'echo ran "$1"\n' });
      expect(await sh(`sing exec --cwd /opt ${image} ./noshebang.sh x`)).toMatchObject({
        status: 0,
        stdout: 'ran x\n',
      });
    });

    it('T025: sing alone is a usage error, help is not', async () => {
      const alone = await sh('sing');
      expect(alone).toMatchObject({ status: 1, stdout: '' });
      expect(alone.stderr).toMatch(/usage/i);
      expect(await sh('sing help')).toMatchObject({ status: 0, stderr: '' });
      expect((await sh('sing help bogus')).status).toBe(0);
    });

    it('T026: -q hides INFO, -s warnings, too', async () => {
      expect((await sh('sing run $S </dev/null')).stderr).toMatch(/^INFO/);
      expect((await sh('sing -q run $S </dev/null')).stderr).toBe('');
      expect((await sh('sing -q exec --no-mount bogus $I true')).stderr).toMatch(
        /^WARNING: Ignoring unknown/,
      );
      expect((await sh('sing -s exec --no-mount bogus $I true')).stderr).toBe('');
    });

    it('T027: -d tells with process and function, on standard error only', async () => {
      const ended = await sh('sing -d exec $I true');
      expect(ended).toMatchObject({ status: 0, stdout: '' });
      expect(ended.stderr).toMatch(/^DEBUG +\[U=\d+,P=\d+\] /m);
      expect(ended.stderr.split('\n').filter((line) => !/^(DEBUG|VERBOSE|INFO|$)/.test(line))).toEqual([]);
    });

    it('T032: a SIF that ends too early is refused and leaves no mount', async () => {
      const short = join(rows.scene.folder, `short-${as}.sif`);
      copyFileSync(rows.scene.sif, short);
      truncateSync(short, 40_000);
      const before = readFileSync('/proc/self/mountinfo', 'utf8');
      const ended = await sh(`sing exec ${short} true`);
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(/^FATAL/);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
    });

    it('T033: a SIF for another machine is refused', async () => {
      const foreign = await rows.scene.makeSif(`foreign-${as}`, rows.scene.sandbox, 's390x');
      const ended = await sh(`sing exec ${foreign} true`);
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(/architecture \(s390x\) could not run on the host's/);
    });

    it('T034: Ctrl-C ends the payload', async () => {
      const child = await startReady(['exec', rows.scene.sandbox], 'exec sleep 1000');
      process.kill(-Number(child.pid), 'SIGINT');
      expect(await once(child, 'exit')).toEqual([null, 'SIGINT']);
    });

    it('T035: a huge environment works or ends with a sentence', async () => {
      const env = Object.fromEntries(
        Array.from({ length: 14 }, (_, i) => [`V${i}`, 'y'.repeat(128 * 1024 - 100)]),
      );
      const ended = spawnSync(PROGRAM, ['exec', rows.scene.sif, 'true'], {
        cwd: '/',
        env: { ...rows.scene.environment(as === 'root'), ...env },
        encoding: 'utf8',
        ...(isRoot && as === 'user' ? { uid: rows.scene.user.uid, gid: rows.scene.user.gid } : {}),
      });
      expect([0, 255]).toContain(ended.status);
      expect(ended.stderr).toMatch(ended.status === 0 ? /^$/ : /^FATAL/);
    });

    it('T036: a static program runs in an image without a shell', async () => {
      const image = rows.scene.image(`static-${as}`);
      for (const name of ['sh', 'busybox']) rmSync(join(image, 'bin', name));
      copyFileSync('/bin/busybox', join(image, 'busybox'));
      expect(await sh(`sing exec ${image} /busybox echo hello`)).toMatchObject({
        status: 0,
        stdout: 'hello\n',
      });
    });

    it('T037, T038: umask and limits are those of the caller', async () => {
      expect(
        (await sh(`umask 0077; sing exec $I sh -c umask; sing exec --no-umask $I sh -c umask`)).stdout,
      ).toBe('0077\n0022\n');
      const limits = await sh(`ulimit -s; sing exec $I sh -c 'ulimit -s'`);
      const [host, inside] = limits.stdout.trimEnd().split('\n');
      expect(inside).toBe(host);
    });

    it('T039: 50 at a time work and leave no mount', async () => {
      const before = readFileSync('/proc/self/mountinfo', 'utf8');
      const ended = await sh(
        'for i in $(seq 50); do sing exec $I true & pids="$pids $!"; done; for p in $pids; do wait $p || exit 9; done',
      );
      expect(ended).toMatchObject({ status: 0, stdout: '', stderr: '' });
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
    });

    it('T040: what kills the front program kills the payload', async () => {
      // A server that stays for the next start keeps the words of the one that made it.
      const configuration = rows.scene.configuration(`own-server-${as}`, 'image server idle = 0');
      // Of a length that nobody else sleeps for.
      const sleep = `sleep 1040.${process.pid}${as === 'user' ? 1 : 2}`;
      for (const [flags, script] of [
        [['-p'], `${sleep}; :`],
        [[], `exec ${sleep}`],
      ] as const) {
        const child = await startReady(['-c', configuration, 'exec', ...flags, rows.scene.sif], script);
        expect(processesWith(sleep)).not.toEqual([]);
        child.kill('SIGKILL');
        expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
        await eventually('no process to be left', () => processesWith(sleep));
      }
    });
  },
);
