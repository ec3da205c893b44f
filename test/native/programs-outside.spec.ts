import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeImage, skipContainers, type Ended } from '../support/containers.js';
import {
  commandWithFuse,
  ENVIRONMENT,
  makeSquashfs,
  runWithFuse,
  serverIdle,
  skipFuse,
} from '../support/fuse.js';
import { instanceOwner } from '../support/instances.js';
import { lookThroughProcesses } from '../support/looking.js';
import { lacking, skipped } from '../support/needs.js';
import { give, makeExt3, mountsOf, openersOf, statusOfServer } from '../support/overlays.js';
import { eventually, processesWith } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary.js';

const missing = lacking('fuse2fs', 'fuse-overlayfs', 'mksquashfs', 'debugfs');
const SECRET = 'known-to-the-caller';

// fuse2fs and fuse-overlayfs have to write everything before they end; and who helps a container sees more than it does.
describe.skipIf(skipContainers() || skipFuse() || missing !== undefined)(
  `processes that serve a container${skipped(missing)}`,
  () => {
    let folder = '';
    let remove = async (): Promise<void> => undefined;
    let image = '';
    let layer = '';
    let look = '';
    let number = 0;

    beforeAll(async () => {
      ({ path: folder, remove } = await temporaryFolder());
      const tree = makeImage(folder);
      for (const name of ['dev', 'proc', 'sys', 'tmp', 'var/tmp'])
        mkdirSync(join(tree, name), { recursive: true });
      image = makeSquashfs(tree, join(folder, 'image.sqfs'));
      writeFileSync(join(folder, 'mark'), '');
      look = lookThroughProcesses(join(folder, 'mark'), SECRET);
    });
    afterAll(() => remove());
    beforeEach(() => {
      const own = give(madeDirectory(join(folder, `case-${(number += 1)}`)));
      layer = makeExt3(join(own, 'layer.img'), ['upper', 'work']);
    });

    const madeDirectory = (path: string): string => {
      mkdirSync(path);
      return path;
    };
    const run = (words: readonly string[], environment = {}): Promise<Ended> =>
      runWithFuse(folder, 'open', [...serverIdle(folder, 0), ...words], environment);
    /** Whether whoever wrote to the file system has also said that he was done. */
    const state = (): string =>
      execFileSync('/sbin/debugfs', ['-R', 'show_super_stats -h', layer], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .toString()
        .replace(/^[^]*Filesystem state: *([^\n]*)\n[^]*$/, '$1');
    const nothingIsLeft = (): Promise<void> =>
      eventually('nothing of the containers to be left', () => [
        ...mountsOf(layer),
        ...processesWith(layer),
        // Who serves it names it nowhere.
        ...openersOf(layer),
      ]);
    /** The same layer with directories that are root's. */
    const ofRoot = (path: string): string => {
      for (const name of ['upper', 'work'])
        for (const field of ['uid', 'gid'])
          execFileSync('/sbin/debugfs', ['-w', '-R', `set_inode_field /${name} ${field} 0`, path], {
            stdio: 'ignore',
          });
      return path;
    };
    /** Layers for an ordinary user, or for root of a user namespace. */
    const kinds = (flags: readonly string[]): [string, readonly string[]][] => [
      ['ext3', ['-o', flags.includes('--fakeroot') ? ofRoot(layer) : layer]],
      ['directory', ['-o', give(madeDirectory(`${layer}.directory`))]],
      ['nothing', []],
    ];
    const waysOut = (stdout: string): string[] =>
      stdout.split('\n').filter((line) => line.endsWith(' leads out'));

    it.each([
      ['user', []],
      ['root of a user namespace', ['--fakeroot']],
    ])('are not seen by a %s in a PID namespace, or show nothing', async (_who, flags) => {
      for (const [kind, layers] of kinds(flags)) {
        const words = ['exec', '-C', ...flags, ...layers, image, 'sh', '-c', look];
        const ended = await run(words, { SECRET });
        expect([kind, ended.status, waysOut(ended.stdout)]).toEqual([kind, 0, []]);
        expect(ended.stdout.split('\n')).toContain('sinit');
        expect(ended.stdout).not.toContain('fuse');
      }
      await nothingIsLeft();
    });

    it.each([
      ['user', []],
      ['root of a user namespace', ['--fakeroot']],
    ])('show nothing of the host to a %s that sees them', async (_who, flags) => {
      for (const [kind, layers] of kinds(flags)) {
        const words = ['exec', '-c', '-e', ...flags, ...layers, image, 'sh', '-c', look];
        const ended = await run(words, { SECRET });
        expect([kind, ended.status, waysOut(ended.stdout)]).toEqual([kind, 0, []]);
        expect(kind !== 'ext3' || ended.stdout.includes('fuse2fs')).toBe(true);
      }
      await nothingIsLeft();
    });

    it('have written everything when a container with a PID namespace ends', async () => {
      const words = ['exec', '--pid', '-o', layer, image, 'sh', '-c', 'echo written > /file'];
      expect(await run(words)).toMatchObject({ status: 0 });
      expect(state()).toBe('clean');
      await nothingIsLeft();
    });

    it.each([['TERM'], ['KILL']])(
      'have written everything when an instance was stopped by %s',
      async (signal) => {
        const owner = instanceOwner(folder, `home-${number}`);
        const environment = { HOME: owner.home, SECRET };
        const start = ['instance', 'start', '-C', '-o', layer, image, 'one'];
        expect(await run(start, environment)).toMatchObject({ status: 0 });
        const join = ['exec', '-e', 'instance://one', 'sh', '-c', `echo written > /file; ${look}`];
        const joined = await run(join, environment);
        expect([joined.status, waysOut(joined.stdout)]).toEqual([0, []]);
        expect(joined.stdout).not.toContain('fuse');
        expect(state()).toBe('not clean');
        const stop = ['instance', 'stop', '-s', signal, '-t', '0', 'one'];
        expect(await run(stop, environment)).toMatchObject({ status: 0 });
        expect(state()).toBe('clean');
        const again = await run(['exec', '-o', layer, image, 'cat', '/file']);
        expect(again).toMatchObject({ status: 0, stdout: 'written\n' });
        await owner.leave();
        await nothingIsLeft();
      },
    );

    it('are waited for by instance stop as long as it takes, which says so', async () => {
      const owner = instanceOwner(folder, `home-${number}`);
      const environment = { HOME: owner.home };
      const start = ['instance', 'start', '-o', layer, image, 'one'];
      expect(await run(start, environment)).toMatchObject({ status: 0 });
      const server = Number(/^Pid:\t(\d+)$/m.exec(statusOfServer('fuse2fs', layer))?.[1]);
      process.kill(server, 'SIGSTOP');
      const [program = '', ...args] = commandWithFuse(folder, 'open', ['instance', 'stop', '-F', 'one']);
      const stop = spawn(program, args, { cwd: '/', env: { ...ENVIRONMENT, ...environment }, stdio: 'pipe' });
      const closed = once(stop, 'close');
      let said = '';
      for await (const line of createInterface(stop.stderr)) {
        said += `${line}\n`;
        if (line.includes('Waiting until everything that instance one wrote is in its image'))
          process.kill(server, 'SIGCONT');
      }
      expect([await closed, said]).toEqual([[0, null], expect.stringContaining('Waiting until everything')]);
      expect(state()).toBe('clean');
      await nothingIsLeft();
    });

    it('write everything when all of an instance is killed', async () => {
      const owner = instanceOwner(folder, `home-${number}`);
      const environment = { HOME: owner.home };
      const name = `outside-${process.pid}`;
      const start = ['instance', 'start', '-o', layer, image, name];
      expect(await run(start, environment)).toMatchObject({ status: 0 });
      const touch = ['exec', `instance://${name}`, 'touch', '/file'];
      expect(await run(touch, environment)).toMatchObject({ status: 0 });
      const [keeper = ''] = processesWith(`[${name}]`);
      process.kill(Number.parseInt(keeper, 10), 'SIGKILL');
      await nothingIsLeft();
      expect(state()).toBe('clean');
      await owner.leave();
    });
  },
);
