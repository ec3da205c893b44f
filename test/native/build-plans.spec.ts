import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Ending, LaunchPlan, StartedContainer } from '#libs/runtime';
import { buildIds, exposedPath, planCommands, planEnclosure, startPlan, systemHost } from '#libs/runtime';
import { makeImage, skipContainers } from '../support/containers.js';
import { lookThroughProcesses } from '../support/looking.js';
import { temporaryFolder } from '../support/temporary.js';

// Plans of a build, started from Node as whoever runs the tests; as root nothing in them may be root of the host.
describe.skipIf(skipContainers())('plans of a build', () => {
  let folder = '';
  let root = '';
  let remove = async (): Promise<void> => undefined;
  const host = skipContainers() ? undefined : systemHost();
  const asRoot = process.getuid?.() === 0;

  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    root = makeImage(folder);
    for (const path of ['dev', 'proc', 'tmp', 'var/tmp']) mkdirSync(join(root, path), { recursive: true });
    if (asRoot && host !== undefined) {
      const { owner } = buildIds(host);
      for (const path of ['', 'etc', 'var']) chownSync(join(root, path), owner.uid, owner.gid);
    }
  });
  beforeEach(() => rmSync(join(root, 'made'), { force: true }));
  afterAll(() => remove());

  const plan = (scripts: readonly string[], change: object = {}): LaunchPlan => {
    if (host === undefined) throw new Error('no host');
    return planCommands(host, {
      root,
      writable: true,
      binds: [],
      temporary: null,
      network: 'none',
      commands: scripts.map((script, index) => ({
        name: `script ${index}`,
        command: ['/bin/sh', '-c', script.replace('always:', '')],
        environment: ['PATH=/bin'],
        workingDirectory: '/',
        always: script.startsWith('always:'),
      })),
      ...change,
    });
  };
  const finish = async (
    container: StartedContainer,
  ): Promise<Ending & { stdout: string; stderr: string }> => {
    const [stdout, stderr, ending] = await Promise.all([
      text(container.stdout),
      text(container.stderr),
      container.ended,
    ]);
    return { ...ending, stdout, stderr };
  };
  const run = (scripts: readonly string[], change?: object): ReturnType<typeof finish> =>
    finish(startPlan(plan(scripts, change)));

  it('commands are root of their namespace, with no_new_privs, and never root of the host', async () => {
    const ended = await run(['id -u; grep NoNewPrivs /proc/self/status; touch /made']);
    expect(ended).toMatchObject({ status: 0, fault: null, stderr: '', stdout: '0\nNoNewPrivs:\t1\n' });
    expect(statSync(join(root, 'made')).uid).not.toBe(0);
  });

  it('commands see their root, an environment of their own and no process of the host', async () => {
    const ended = await run(['ls -d /*; ls /tmp; set -- /proc/[0-9]*; echo $#; env | grep -v SHLVL']);
    expect(ended.stdout).toBe('/bin\n/dev\n/etc\n/proc\n/tmp\n/var\n2\nPATH=/bin\nPWD=/\n');
  });

  it('commands see nothing of the host through the processes beside them', async () => {
    writeFileSync(join(folder, 'mark'), '');
    const ended = await run([lookThroughProcesses(join(folder, 'mark'), 'PATH=')]);
    // Its own environment is all that it finds.
    expect(ended.stdout.trim().split('\n')).toEqual(['sing', 'sh', 'environ of sh leads out']);
  });

  it('the first failure ends the sequence; what must always run still does', async () => {
    const ended = await run(['echo 0', 'exit 7', 'echo 2', 'always:echo 3']);
    expect(ended).toMatchObject({ status: 7, stdout: '0\n3\n' });
    expect(ended.commands.map(({ index, status }) => [index, status])).toEqual([
      [0, 0],
      [1, 7],
      [3, 0],
    ]);
  });

  it('what a command left running is gone before the next begins', async () => {
    const ended = await run(['sleep 1000 & echo', 'set -- /proc/[0-9]*; echo $#']);
    expect(ended).toMatchObject({ status: 0, stdout: '\n2\n' });
  });

  it('a read-only root cannot be written, but /tmp can', async () => {
    const ended = await run(['touch /tmp/x && ! touch /made'], { writable: false });
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stderr).toContain('Read-only file system');
  });

  it('a bind that was asked is there', async () => {
    writeFileSync(join(root, 'etc/hosts'), '');
    const binds = [{ source: '/etc/hosts', destination: '/etc/hosts', readOnly: true }];
    expect((await run(['cat /etc/hosts'], { binds })).stdout).toBe(readFileSync('/etc/hosts', 'utf8'));
  });

  it('kill leaves nothing', async () => {
    const container = startPlan(plan(['echo started; sleep 1000']));
    container.stdout.once('data', () => container.kill());
    expect(await finish(container)).toMatchObject({ killed: true, stdout: 'started\n' });
    expect(existsSync(`/proc/${container.pid}`)).toBe(false);
  });

  it('a root that is not there is a fault with its path', async () => {
    const ended = await run(['true'], { root: join(folder, 'nope') });
    expect(ended.status).toBe(255);
    expect(ended.fault).toMatchObject({ error: 'ENOENT' });
  });

  describe('enclosure', () => {
    const enclosed = (script: string, hidden: readonly string[] = []): ReturnType<typeof finish> => {
      if (host === undefined) throw new Error('no host');
      return finish(
        startPlan(
          planEnclosure(host, {
            command: ['/bin/sh', '-c', script],
            environment: ['PATH=/usr/bin:/bin'],
            workingDirectory: '/',
            hidden,
            exposed: [{ name: 'work', source: root, readOnly: false }],
          }),
        ),
      );
    };

    it('is root inside, and maps nobody to root of the host', async () => {
      const ended = await enclosed('id -u; cat /proc/self/uid_map');
      expect(ended).toMatchObject({ status: 0, stderr: '' });
      const [id, ...ranges] = ended.stdout.trim().split('\n');
      expect(id).toBe('0');
      const outside = ranges.map((range) => Number(range.trim().split(/\s+/)[1]));
      expect(outside).not.toContain(0);
    });

    it('hides it also behind the processes that are seen', async () => {
      writeFileSync(join(folder, 'mark'), '');
      const ended = await enclosed(lookThroughProcesses(join(folder, 'mark'), 'no such word'), [folder]);
      expect(ended.stdout.trim().split('\n').toSorted()).toEqual(['sh', 'sinit']);
    });

    it('hides what it must, and shows the work folder that lies in it', async () => {
      const place = exposedPath(host as NonNullable<typeof host>, 'work');
      const ended = await enclosed(`ls -A ${folder}; ls ${place}`, [folder]);
      expect(ended.stdout).toBe('bin\ndev\netc\nproc\ntmp\nvar\n');
    });

    it.skipIf(!asRoot)('started by root cannot read what only root may', async () => {
      const secret = join(folder, 'secret');
      writeFileSync(secret, 'x', { mode: 0o600 });
      expect((await enclosed(`cat ${secret}`)).stdout).toBe('');
    });
  });
});
