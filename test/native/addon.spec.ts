import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planCommands, startPlan, systemHost, type CommandEnding, type LaunchPlan } from '#libs/runtime';
import { makeImage, skipContainers } from '../support/containers.js';
import { eventually, processesWith } from '../support/processes.js';
import { startScript } from '../support/script.js';
import { temporaryFolder } from '../support/temporary.js';

const ENVIRONMENT = ['PATH=/bin:/usr/bin', 'HOME=/'];

describe.skipIf(skipContainers())('the native part in Node', () => {
  const host = systemHost();
  let folder = '';
  let image = '';
  let remove = async (): Promise<void> => undefined;
  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    image = makeImage(folder);
  });
  afterAll(() => remove());

  describe('host functions', () => {
    it('know who calls', () => {
      expect(host.identity()).toMatchObject({
        uid: process.getuid?.(),
        effectiveGid: process.getegid?.(),
        umask: process.umask(),
        machine: process.arch === 'x64' ? 'x86_64' : 'aarch64',
        hostName: hostname(),
      });
      expect(host.workingDirectory()).toBe(process.cwd());
      const version: unknown = JSON.parse(readFileSync('package.json', 'utf8'));
      expect(version).toMatchObject({ version: host.installation().version });
      expect(host.installation().root).toBe(resolve(import.meta.dirname, '../..'));
    });

    it('give bytes as characters up to U+00FF', () => {
      const name = Buffer.from('b\xe4d', 'latin1');
      writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), Buffer.from([0xff, 0x00, 0x41]));
      expect(host.readFile(`${folder}/b\xe4d`, 10, 'follow')).toMatchObject({ content: '\xff\0A' });
    });

    it.each([
      ['a relative path', 'etc/passwd'],
      ['an empty path', ''],
      ['a path with NUL', '/etc\0/passwd'],
      ['a path over 4095 bytes', `/${'x'.repeat(4095)}`],
      ['a character above U+00FF', '/€'],
    ])('refuse %s', (_what, path) => {
      for (const answer of [
        host.status(path),
        host.linkStatus(path),
        host.readLink(path),
        host.realPath(path),
        host.readFile(path, 10, 'follow'),
        host.openImage(path, false),
      ])
        expect(answer).toMatchObject({ error: 'EINVAL' });
      expect(host.mayAccess(path, 'read')).toBe(false);
    });

    it('read regular files up to the limit, and nothing else', () => {
      const path = join(folder, 'ten');
      writeFileSync(path, '0123456789');
      const { size, mtime: _, ...status } = statSync(path);
      expect(host.readFile(path, 10, 'refuse')).toMatchObject({
        content: '0123456789',
        status: { type: 'file', size, uid: status.uid },
      });
      expect(host.readFile(path, 9, 'refuse')).toMatchObject({ error: 'EFBIG' });
      expect(host.readFile('/dev/zero', 10, 'follow')).toMatchObject({ error: 'EINVAL' });
      expect(host.readFile(folder, 10, 'follow')).toMatchObject({ error: 'EINVAL' });
      spawnSync('mkfifo', [join(folder, 'fifo')]);
      expect(host.readFile(join(folder, 'fifo'), 10, 'follow')).toMatchObject({ error: 'EINVAL' });
      expect(host.readFile('/proc/self/fd/0/../0', 10, 'refuse')).toHaveProperty('error');
    });

    it('name accounts and groups', () => {
      expect(host.account(0)).toMatchObject({
        name: 'root',
        home: userInfo({ encoding: 'utf8' }).uid === 0 ? userInfo().homedir : '/root',
      });
      expect(host.account(4_000_000)).toMatchObject({ error: 'ENOENT' });
      expect(host.groupNames([0, 4_000_000])).toEqual(['root', null]);
    });

    it('open an image and say what it is', () => {
      const opened = host.openImage(image, false);
      expect(opened).toMatchObject({ type: 'directory', path: image, partition: null, problem: null });
      if ('handle' in opened) closeSync(opened.handle);
      const unknown = host.openImage('/etc/passwd', false);
      expect(unknown).toMatchObject({ type: 'unknown', partition: null });
      if ('handle' in unknown) closeSync(unknown.handle);
    });
  });

  describe('start', () => {
    const commands = (...scripts: readonly string[]): LaunchPlan =>
      planCommands(host, {
        root: image,
        writable: false,
        binds: [],
        temporary: null,
        network: 'none',
        commands: scripts.map((script, index) => ({
          name: `%${index}`,
          command: ['sh', '-c', script] as const,
          environment: ENVIRONMENT,
          workingDirectory: '/',
          always: script.startsWith('#'),
        })),
      });
    beforeAll(() => {
      for (const name of ['dev', 'proc', 'tmp']) mkdirSync(join(image, name), { recursive: true });
      mkdirSync(join(image, 'var/tmp'), { recursive: true });
    });

    it('gives output, error output and status of the commands', async () => {
      const child = startPlan(
        commands('echo one; echo two >&2', 'exit 9', 'echo not this', '# always\necho three'),
      );
      const [stdout, stderr, ending] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        child.ended,
      ]);
      expect({ stdout, stderr }).toEqual({ stdout: 'one\nthree\n', stderr: 'two\n' });
      const command = (index: number, status: number): CommandEnding =>
        ({ event: 'command', index, name: `%${index}`, status, signal: null }) as CommandEnding;
      expect(ending).toEqual({
        status: 9,
        signal: null,
        killed: false,
        fault: null,
        commands: [command(0, 0), command(1, 9), command(3, 0)],
      });
    });

    it('reports a command that died of a signal', async () => {
      const child = startPlan(commands('kill -SEGV $$'));
      child.stdout.resume();
      expect(await child.ended).toMatchObject({ status: 139, commands: [{ status: null, signal: 11 }] });
    });

    it('what a command left running is gone before the next begins', async () => {
      const child = startPlan(
        commands('sleep 1000 & setsid sleep 1001 & echo $$', 'ps | grep -c "[s]leep 100"; true'),
      );
      expect((await text(child.stdout)).trim().split('\n')[1]).toBe('0');
      await child.ended;
    });

    it('kill ends everything before it settles', async () => {
      const sleep = `sleep 1234.${process.pid}`;
      const child = startPlan(commands(`echo ready; ${sleep} & setsid ${sleep} & ${sleep}`));
      child.stdout.once('data', () => child.kill());
      expect(await child.ended).toMatchObject({ killed: true });
      expect(processesWith(sleep)).toEqual([]);
    });

    it('everything is killed when the process that started it is', async () => {
      // Of a length that nobody else sleeps for: other tests have processes of their own beside.
      const sleep = `sleep 1235.${process.pid}`;
      writeFileSync(join(folder, 'plan.json'), JSON.stringify(commands(`echo ready; ${sleep}`)));
      const starter = startScript('plan.script.ts', [join(folder, 'plan.json')]);
      await starter.line((line) => line === 'ready');
      await eventually('the container to sleep', () => processesWith(sleep).length > 0);
      await starter.end('SIGKILL');
      await expect(
        eventually('the container to end with its starter', () => processesWith(sleep)),
      ).resolves.toBeUndefined();
    });

    it('a step that fails is reported with its index, path and errno', async () => {
      const plan = commands('true');
      const child = startPlan({
        ...plan,
        steps: [...plan.steps, { kind: 'make_directory', path: 'rootfs/bin/sh', mode: 0o755 }],
      });
      child.stdout.resume();
      const ending = await child.ended;
      expect(ending).toMatchObject({
        status: 255,
        commands: [],
        fault: { step: plan.steps.length, kind: 'make_directory', path: 'rootfs/bin/sh' },
      });
      expect(ending.fault?.error).toMatch(/^E/);
    });

    it('a plan that is none is refused by the executor', async () => {
      const plan = commands('true');
      const child = startPlan({ ...plan, root: '../escape' });
      expect(await text(child.stderr)).toMatch(/^FATAL: {3}Expected a relative path/);
      expect(await child.ended).toMatchObject({ status: 255, fault: { kind: 'plan', step: null } });
    });

    it('handles of this process reach the executor', async () => {
      const handle = openSync(image, 'r');
      const plan = commands('ls /etc');
      const withHandle: LaunchPlan = {
        ...plan,
        steps: plan.steps.map((step) =>
          step.kind === 'bind' && step.source.kind === 'host' && step.source.path === image
            ? { ...step, source: { kind: 'handle', handle } }
            : step,
        ),
      };
      const child = startPlan(withHandle);
      expect(await text(child.stdout)).toContain('passwd');
      expect(await child.ended).toMatchObject({ status: 0 });
      closeSync(handle);
    });

    it('nothing of the caller’s environment, descriptors or temporary folder reaches the commands', async () => {
      const child = startPlan(commands('env; ls /proc/self/fd | wc -l; ls /tmp'));
      const shown = await text(child.stdout);
      expect(
        shown.split('\n').filter((line) => line.includes('=') && !/^(PATH|HOME|PWD|SHLVL)=/.test(line)),
      ).toEqual([]);
      expect(shown).toMatch(/^4$/m);
      expect(shown).not.toContain(folder.slice(tmpdir().length + 1));
      await child.ended;
    });
  });

  it('become replaces the process and puts back what Node changed in it', () => {
    const script = `
      import { become } from '#addon';
      import { readFileSync } from 'node:fs';
      process.on('SIGTERM', () => undefined);
      become(JSON.parse(readFileSync(process.argv[1], 'utf8')));`;
    const plan = planCommands(host, {
      root: image,
      writable: false,
      binds: [],
      temporary: null,
      network: 'none',
      commands: [
        {
          name: 'x',
          command: ['sh', '-c', 'grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status; exit 12'],
          environment: ENVIRONMENT,
          workingDirectory: '/',
          always: false,
        },
      ],
    });
    writeFileSync(join(folder, 'become.json'), JSON.stringify(plan));
    const hooks = resolve(import.meta.dirname, '../support/typescript-hooks.mjs');
    const ended = spawnSync(
      process.execPath,
      [
        '--conditions=source',
        '--import',
        hooks,
        '--input-type=module',
        '-e',
        script,
        join(folder, 'become.json'),
      ],
      { encoding: 'utf8', timeout: 20_000 },
    );
    expect(ended).toMatchObject({ status: 12, stderr: '' });
    expect(ended.stdout.replaceAll('\t', ' ').trim().split('\n')).toEqual([
      'SigBlk: 0000000000000000',
      'SigIgn: 0000000000000000',
      expect.stringContaining('SigCgt'),
    ]);
  });
});
