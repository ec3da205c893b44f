import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { buildInEnclosure, type BuiltImage, type BuildInEnclosure, WorkFolder } from '#libs/build';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lookThroughProcesses } from '../../support/looking.js';
import { BASE, POST } from '../../support/remote-builds.js';
import { temporaryFolder } from '../../support/temporary.js';

const isRoot = process.getuid?.() === 0;

/** Threads of this user, as RLIMIT_NPROC counts them. */
async function tasksOfThisUser(): Promise<number> {
  const { stdout } = await execa('ps', ['-L', '-U', String(process.getuid?.()), '-o', 'lwp=']);
  return stdout.split('\n').length;
}

/** A root whose shell is bash, which takes less from the environment of root than others do. */
const BASH = `bootstrap: scratch
%files
/bin/bash /bin/bash
/bin/bash /bin/sh
`;

describe('the build engine', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let said: string;

  beforeEach(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    said = '';
  });
  afterEach(() => remove());

  /** Builds as `sing build` does in `folder`. */
  async function build(definition: string, options: Partial<BuildInEnclosure> = {}): Promise<BuiltImage> {
    const { packContext } = await import('#libs/build');
    const { parseDefinition } = await import('#libs/deffile');
    const workFolder = await WorkFolder.at(join(folder, 'work'));
    try {
      const archive = join(workFolder.path, 'context.tar.gz');
      const packed = await packContext({
        definition: parseDefinition(definition),
        workingDirectory: folder,
        output: archive,
        signal: undefined,
      });
      return await buildInEnclosure({
        definition,
        buildArguments: new Map(),
        workFolder,
        context: packed && { archive, workingDirectory: folder },
        pull: undefined,
        verify: undefined,
        verifyAll: false,
        localFiles: folder,
        hidden: [],
        processes: undefined,
        network: 'host',
        background: false,
        destination: join(folder, 'out.sif'),
        version: '1',
        force: false,
        runTests: true,
        log: {
          info: (message) => void (said += `${message}\n`),
          warning: (message) => void (said += `WARNING ${message}\n`),
          output: (chunk) => void (said += Buffer.from(chunk).toString('utf8')),
        },
        signal: undefined,
        ...options,
      });
    } finally {
      await workFolder.remove();
    }
  }

  /** The libraries of a program, as lines of `%files`. */
  async function librariesOf(program: string): Promise<string> {
    const { stdout } = await execa('ldd', [program]);
    return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => `${path}\n`).join('');
  }

  it.each(['bash', 'busybox'])('writes a log in the order of events, with %s', async (shell) => {
    const base = shell === 'bash' ? BASH + (await librariesOf('/bin/bash')) : BASE;
    const script = '%post\necho out 1\necho err 1 >&2\necho out 2\necho err 2 >&2\nprintf partial\n';
    const line = base.split('\n').length;
    await build(base + script);
    expect(said.slice(said.indexOf('+ line'))).toBe(
      `+ line ${line + 1}: echo out 1\nout 1\n+ line ${line + 2}: echo err 1\nerr 1\n` +
        `+ line ${line + 3}: echo out 2\nout 2\n+ line ${line + 4}: echo err 2\nerr 2\n` +
        `+ line ${line + 5}: printf partial\npartialCreating SIF file...\n`,
    );
  });

  it.each([
    ['bash', 'false', 'exit status 1'],
    ['busybox', '/bin/busybox false', 'exit status 1'],
    ['busybox', 'kill -9 $$', 'signal SIGKILL'],
  ])('names the line and the end of a %%post that fails, with %s and %s', async (shell, command, end) => {
    const base = shell === 'bash' ? BASH + (await librariesOf('/bin/bash')) : BASE;
    const line = base.split('\n').length + 2;
    await expect(build(`${base}%post\necho one\n${command}\necho two\n`)).rejects.toThrow(
      `while running %post at line ${line} of the definition: ${end}`,
    );
  });

  it('takes an image of the working directory as base, also one that only its owner may read', async () => {
    const { path } = await build(BASE + POST, { destination: join(folder, 'base.sif') });
    await mkdir(join(folder, 'private'), { mode: 0o700 });
    await writeFile(join(folder, 'private/base.sif'), await readFile(path), { mode: 0o600 });
    for (const from of ['base.sif', './private/base.sif', join(folder, 'private/base.sif')])
      expect(
        await build(`bootstrap: localimage\nfrom: ${from}\n%post\ntest -x /bin/busybox\n`),
      ).toMatchObject({ path: join(folder, 'out.sif') });
  });

  it('shows a %post nothing of the host through the processes beside it', async () => {
    const mark = join(folder, 'mark');
    await chmod(folder, 0o755);
    await writeFile(mark, '');
    await build(`${BASE}${POST}${lookThroughProcesses(mark, 'no such word')}\n`);
    expect(said.split('\n').filter((line) => line === 'sing' || line.endsWith(' leads out'))).toEqual([
      'sing',
    ]);
  });

  it('pulls one reference of two libraries twice', async () => {
    const { path } = await build(BASE + POST, { destination: join(folder, 'base.sif') });
    await chmod(folder, 0o755);
    const pulled: unknown[] = [];
    const pull = async (from: string, library: string | undefined): Promise<string> => {
      pulled.push([from, library]);
      const copy = join(folder, `pulled-${pulled.length}.sif`);
      await writeFile(copy, await readFile(path), { mode: 0o644 });
      return copy;
    };
    const stage = (library: string): string => `bootstrap: library\nlibrary: ${library}\nfrom: a/b/c\n`;
    const again = stage('https://one').replace('from', 'stage: x\nfrom');
    await build(`${stage('https://one')}${stage('https://two')}${again}`, { pull });
    expect(pulled).toEqual([
      ['a/b/c', 'https://one'],
      ['a/b/c', 'https://two'],
    ]);
  });

  it.runIf(isRoot)('takes a base with thousands of files of owners that do not exist here', async () => {
    const root = join(folder, 'tree');
    await mkdir(join(root, 'files'), { recursive: true });
    for (let index = 0; index < 2000; index += 1) {
      const path = join(root, 'files', `file-${index}`);
      await writeFile(path, '');
      await chown(path, 500_000, 500_000);
    }
    await execa('mksquashfs', [root, join(folder, 'base.sqfs'), '-quiet', '-no-progress']);
    await build('bootstrap: localimage\nfrom: base.sqfs\n');
    expect(said).toMatch(/WARNING 200\d owners, devices or attributes .* left out, the first: /);
  });

  it.each([true, false])('lets others go first in the background: %s', async (background) => {
    const script =
      "/bin/busybox awk '{print $19}' /proc/self/stat\n/bin/busybox cat /proc/self/oom_score_adj\n";
    await build(`${BASE}%post\nset +x\n${script}`, { background });
    const nice = background ? Math.max(10, getPriority()) : getPriority();
    expect(said).toContain(`\n${nice}\n500\n`);
  });

  it.each([
    ['host', true],
    ['none', false],
  ] as const)(
    'lets a %%post with the network %s reach a port of this machine: %s',
    async (network, reaches) => {
      const server = createServer((socket) => socket.end('secret of this machine\n'));
      await once(server.listen(0, '127.0.0.1'), 'listening');
      try {
        const { port } = server.address() as AddressInfo;
        const ask = `%post\nset +x\n/bin/busybox nc 127.0.0.1 ${port} </dev/null || echo refused\n`;
        await build(`${BASE}${ask}%test\n/bin/busybox nc 127.0.0.1 ${port} </dev/null || echo refused\n`, {
          network,
        });
        expect(said.match(/^(secret of this machine|refused)$/gm)).toEqual(
          reaches ? ['secret of this machine', 'secret of this machine'] : ['refused', 'refused'],
        );
      } finally {
        server.close();
      }
    },
  );

  it('lets a %post that forks without end fork so far and no further', async () => {
    const processes = (await tasksOfThisUser()) + 400;
    const forks = '%post\nset +x\ni=0\nwhile [ $i -lt 2000 ]; do /bin/busybox sleep 30 & i=$((i+1)); done\n';
    await expect(build(BASE + forks, { processes })).rejects.toThrow('while running %post');
    expect(said).toMatch(/can't fork|Resource temporarily unavailable/);
  });

  it('says so when the base is broken, and makes no image of it', async () => {
    await writeFile(join(folder, 'base.sqfs'), `hsqs${'x'.repeat(10_000)}`);
    await expect(build('bootstrap: localimage\nfrom: base.sqfs\n')).rejects.toThrow('unsquashfs failed: ');
    await writeFile(join(folder, 'text'), 'no image');
    await expect(build('bootstrap: localimage\nfrom: text\n')).rejects.toThrow(/unexpected EOF|no SIF/);
    await symlink('gone', join(folder, 'dangling'));
    await expect(build('bootstrap: localimage\nfrom: dangling\n')).rejects.toMatchObject({
      message: expect.stringContaining('unable to open the base image dangling') as unknown,
      remedy: expect.stringContaining('relative to the directory in which you build') as unknown,
    });
    expect(await readdir(folder)).not.toContain('out.sif');
  });
});
