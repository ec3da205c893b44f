import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, runSing, skipContainers, type Ended } from '../support/containers.js';
import { makeSquashfs, runWithFuse, serverIdle, skipFuse } from '../support/fuse.js';
import { lacking, skipped } from '../support/needs.js';
import {
  executePlan,
  give,
  holdContainer,
  makeExt3,
  makeSif,
  mountsOf,
  openersOf,
  statusOfServer,
} from '../support/overlays.js';
import { eventually, processesWith } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary.js';

const missing = lacking('fuse2fs', 'fuse-overlayfs', 'mksquashfs');
const asRoot = process.getuid?.() === 0;

// Runtime contract §1.4, §2.3, §2.4; rows T077–T091, T176 and S14 of §5. Names begin with the row.
describe.skipIf(skipContainers() || skipFuse() || missing !== undefined)(
  `overlays and ext3 images${skipped(missing)}`,
  () => {
    let folder = '';
    let remove = async (): Promise<void> => undefined;
    let image = '';
    let directory = '';
    let extra = '';

    beforeAll(async () => {
      ({ path: folder, remove } = await temporaryFolder());
      directory = makeImage(folder, { 'etc/marker': 'in the image\n', 'data/inside': 'of the image\n' });
      for (const name of ['dev', 'proc', 'sys', 'tmp', 'var/tmp'])
        mkdirSync(join(directory, name), { recursive: true });
      image = makeSquashfs(directory, join(folder, 'image.sqfs'));
      mkdirSync(join(folder, 'tree/etc'), { recursive: true });
      mkdirSync(join(folder, 'tree/dir'));
      writeFileSync(join(folder, 'tree/etc/marker'), 'in the squashfs overlay\n');
      writeFileSync(join(folder, 'tree/dir/file'), 'data\n');
      extra = makeSquashfs(join(folder, 'tree'), join(folder, 'extra.sqfs'));
    });
    afterAll(() => remove());

    let own = '';
    let count = 0;
    beforeEach(() => {
      own = join(folder, `case-${(count += 1)}`);
      mkdirSync(own);
      give(own);
    });
    // Nothing of any case is left: no mount anywhere, no server, no loop device.
    afterEach(() =>
      eventually('nothing of the containers to be left', () => [
        ...mountsOf(folder),
        ...processesWith(folder),
      ]),
    );

    const place = (name: string): string => join(own, name);
    const layer = (name = 'o.img'): string => makeExt3(place(name), ['upper', 'work']);
    const folderLayer = (name = 'layer'): string => {
      const path = place(name);
      mkdirSync(path);
      return give(path);
    };
    const sing = (...words: readonly string[]): Promise<Ended> =>
      runWithFuse(folder, 'open', [...serverIdle(folder, 0), ...words]);
    const exec = (flags: readonly string[], root: string, script: string): Promise<Ended> =>
      sing('exec', ...flags, root, 'sh', '-c', script);
    const withConf = (lines: string, ...words: readonly string[]): Promise<Ended> => {
      const conf = place('conf');
      writeFileSync(conf, `image server idle = 0\n${lines}\n`);
      return runWithFuse(folder, 'open', ['-c', conf, ...words]);
    };

    it('T078 --writable of a SIF without an overlay partition is refused', async () => {
      const sif = await makeSif(place('image.sif'), [{ file: image, kind: 'primary' }]);
      const ended = await exec(['-w'], sif, 'true');
      expect([ended.status, ended.stderr]).toEqual([
        255,
        expect.stringContaining('no SIF writable overlay partition found'),
      ]);
    });

    it('T079 --writable of a directory writes to it, and makes no mount points in it', async () => {
      const tree = place('sandbox');
      cpSync(directory, tree, { recursive: true, verbatimSymlinks: true });
      give(tree);
      const written = await exec(['-w', '--no-home'], tree, 'touch /f');
      expect(written).toMatchObject({ status: 0 });
      expect(existsSync(join(tree, 'f'))).toBe(true);
      const bound = await exec(['-w', '--no-home', '-B', '/etc:/new'], tree, 'true');
      expect([bound.status, bound.stderr]).toEqual([
        255,
        expect.stringContaining("destination /new doesn't exist in container"),
      ]);
      expect(existsSync(join(tree, 'new'))).toBe(false);
    });

    it('T080 T081 --writable-tmpfs forgets, and is as large as the session', async () => {
      expect(await exec(['--writable-tmpfs'], image, 'touch /f && ls /f')).toMatchObject({ stdout: '/f\n' });
      expect(await exec([], image, 'ls /f')).toMatchObject({ stdout: '', status: 1 });
      const full = await exec(['--writable-tmpfs'], image, 'dd if=/dev/zero of=/big bs=1024k count=65');
      expect(full.stderr).toContain('No space left on device');
    });

    it('T082 --writable-tmpfs gives way to --writable, and to a writable overlay, with a warning', async () => {
      const tree = place('sandbox');
      cpSync(directory, tree, { recursive: true, verbatimSymlinks: true });
      give(tree);
      const both = await exec(['-w', '--no-home', '--writable-tmpfs'], tree, 'touch /f');
      expect(both.stderr).toContain('WARNING: Disabling --writable-tmpfs flag');
      expect(existsSync(join(tree, 'f'))).toBe(true);
      const path = folderLayer();
      const over = await exec(['--writable-tmpfs', '-o', path], image, 'touch /f');
      expect(over.stderr).toContain(
        `WARNING: Disabling --writable-tmpfs: what is written goes to the overlay ${path}`,
      );
      expect(existsSync(join(path, 'upper/f'))).toBe(true);
    });

    it('T083 what is written to an ext3 image is there at the next start, read-only too, and where it was removed it is gone', async () => {
      const path = layer();
      const first = await exec(['-o', path], image, 'echo kept >/f; mkdir -p /new/dir; touch /gone; id -u');
      expect(first).toEqual({ status: 0, signal: null, stdout: `${ordinaryId()}\n`, stderr: '' });
      expect(await exec(['-o', path], image, 'cat /f; rm /gone; ls -d /new/dir')).toMatchObject({
        stdout: 'kept\n/new/dir\n',
        status: 0,
      });
      const read = await exec(['-o', `${path}:ro`], image, 'cat /f /etc/marker; ls /gone; touch /x');
      expect(read.stdout).toBe('kept\nin the image\n');
      expect(read.stderr).toMatch(/gone: No such file[^]*Read-only file system/);
    });

    it('T084 a second start that would write is refused, T085 several may read', async () => {
      const path = layer();
      const writer = await holdContainer(folder, ['exec', '-o', path, image]);
      const second = await exec(['-o', path], image, 'true');
      expect([second.status, second.stderr]).toEqual([
        255,
        expect.stringContaining(`can't open ${path} for writing, currently in use by another process`),
      ]);
      const reader = await exec(['-o', `${path}:ro`], image, 'true');
      expect([reader.status, reader.stderr]).toEqual([
        255,
        expect.stringContaining('currently in use for writing'),
      ]);
      expect(await writer.end()).toEqual({ status: 0, signal: null });

      const one = await holdContainer(folder, ['exec', '-o', `${path}:ro`, image]);
      expect(await exec(['-o', `${path}:ro`], image, 'echo too')).toMatchObject({
        status: 0,
        stdout: 'too\n',
      });
      const blocked = await exec(['-o', path], image, 'true');
      expect([blocked.status, blocked.stderr]).toEqual([255, expect.stringContaining('currently in use')]);
      await one.end();
    });

    it('T086 two writable overlays are refused', async () => {
      const ended = await exec(['-o', folderLayer('one'), '-o', layer()], image, 'true');
      expect([ended.status, ended.stderr]).toEqual([
        255,
        expect.stringContaining('only one overlay can be writable'),
      ]);
    });

    it('T087 a directory gets upper and work, keeps what is written, and can be read', async () => {
      const path = folderLayer();
      await exec(['-o', `${path}/`], image, 'echo kept >/f');
      expect(statSync(join(path, 'upper')).isDirectory() && statSync(join(path, 'work')).isDirectory()).toBe(
        true,
      );
      expect(readFileSync(join(path, 'upper/f'), 'utf8')).toBe('kept\n');
      expect(await exec(['-o', `${path}:ro`], image, 'cat /f; touch /g')).toMatchObject({
        stdout: 'kept\n',
        stderr: expect.stringContaining('Read-only file system'),
      });
    });

    it('T084 a directory is written by one start at a time', async () => {
      const path = folderLayer();
      const writer = await holdContainer(folder, ['exec', '-o', path, image]);
      const second = await exec(['-o', path], image, 'true');
      expect([second.status, second.stderr]).toEqual([
        255,
        expect.stringContaining(`can't open ${path} for writing, currently in use by another process`),
      ]);
      expect(await writer.end()).toEqual({ status: 0, signal: null });
      expect(await exec(['-o', path], image, 'true')).toMatchObject({ status: 0 });
    });

    it('overlays lie over each other in their order, the writable one over all; a squashfs is never written', async () => {
      const path = folderLayer();
      expect(await exec(['-o', extra], image, 'cat /etc/marker /data/inside')).toMatchObject({
        stdout: 'in the squashfs overlay\nof the image\n',
      });
      await exec(['-o', path], image, 'echo written >/etc2; mkdir /m; echo top >/m/marker');
      const more = place('more');
      mkdirSync(join(more, 'etc'), { recursive: true });
      writeFileSync(join(more, 'etc/marker'), 'in the directory\n');
      for (const [flags, expected] of [
        [['-o', `${more}:ro`, '-o', extra], 'in the squashfs overlay\n'],
        [['-o', extra, '-o', `${more}:ro`], 'in the directory\n'],
        [['-o', path, '-o', `${extra},${more}:ro`], 'in the directory\n'],
      ] as const)
        expect(await exec(flags, image, 'cat /etc/marker')).toMatchObject({ stdout: expected });
    });

    it('a squashfs over all others has the mode of its root, so that accounts and links of the layers are found', async () => {
      const tree = place('linked');
      mkdirSync(join(tree, 'real'), { recursive: true });
      symlinkSync('real', join(tree, 'link'));
      const linked = makeSquashfs(tree, place('linked.sqfs'));
      const script = 'ls /real; readlink /link; cat /etc/passwd | busybox tail -n 1 | busybox cut -d: -f3';
      expect(await exec(['-o', linked, '-B', '/etc/hostname:/link/name'], image, script)).toEqual({
        status: 0,
        signal: null,
        stdout: `name\nreal\n${ordinaryId()}\n`,
        stderr: '',
      });
    });

    it('a mount point is made where the layers lack it, and accounts come from them', async () => {
      const path = folderLayer();
      await exec(
        ['-o', path],
        image,
        'mkdir /real; ln -s /real /link 2>/dev/null || busybox ln -s /real /link',
      );
      const ended = await exec(['-o', path, '-B', '/etc/hostname:/link/name'], image, 'ls /real');
      expect(ended).toMatchObject({ stdout: 'name\n', status: 0 });
    });

    it('T090 "enable overlay = no" refuses overlays', async () => {
      const ended = await withConf('enable overlay = no', 'exec', '-o', extra, image, 'true');
      expect([ended.status, ended.stderr]).toEqual([255, expect.stringContaining('"enable overlay = no"')]);
    });

    it('T091 binds come out of images, read-only: squashfs, ext3 and a SIF with a data partition', async () => {
      const ext3 = makeExt3(place('data.img'), ['dir'], place('data-tree'));
      const sif = await makeSif(place('data.sif'), [
        { file: image, kind: 'primary' },
        { file: extra, kind: 'data' },
        { file: ext3, kind: 'data' },
      ]);
      const list = 'ls /d; cat /f; touch /d/x; true';
      const bound = await exec(
        ['-B', `${extra}:/d:image-src=/dir`, '-B', `${extra}:/f:image-src=dir/file`],
        image,
        list,
      );
      expect(bound).toMatchObject({ status: 0, stdout: 'file\ndata\n' });
      expect(bound.stderr).toContain('Read-only file system');
      const mounted = await exec(
        ['--mount', `type=bind,src=${sif},dst=/d,image-src=/dir`, '-B', `${sif}:/e:id=3`],
        image,
        'ls /d /e',
      );
      expect(mounted.stdout).toBe('/d:\nfile\n\n/e:\ndir\nlost+found\n');
      for (const [flag, sentence] of [
        [`${extra}:/d:image-src=/nope`, 'open /nope: No such file'],
        [`${sif}:/d:id=9`, 'has no data or overlay partition 9'],
        [`${directory}:/d:image-src=/`, 'is a directory'],
      ] as const) {
        const refused = await exec(['-B', flag], image, 'true');
        expect([refused.status, refused.stderr]).toEqual([255, expect.stringContaining(sentence)]);
      }
    });

    it.each([
      ['sif', 'a SIF file'],
      ['squashfs', 'a squashfs'],
      ['extfs', 'an ext3 image'],
      ['dir', 'a directory'],
    ])('T176 "allow container %s = no" holds for overlays', async (kind, name) => {
      const sif = await makeSif(place('image.sif'), [
        { file: image, kind: 'primary' },
        { file: extra, kind: 'overlay' },
      ]);
      const overlays = { sif, squashfs: extra, extfs: layer(), dir: folderLayer() };
      const given = Object.entries(overlays).find(([one]) => one === kind)?.[1] ?? '';
      const root = kind === 'dir' ? image : directory;
      const ended = await withConf(`allow container ${kind} = no`, 'exec', '-o', `${given}:ro`, root, 'true');
      expect([ended.status, ended.stderr]).toEqual([
        255,
        expect.stringContaining(`configuration disallows users from using ${name} as overlay`),
      ]);
    });

    it('the overlay partition of a SIF is shown always, and written with --writable', async () => {
      const sif = await makeSif(place('image.sif'), [
        { file: image, kind: 'primary' },
        { file: extra, kind: 'overlay' },
        { file: layer(), kind: 'overlay' },
      ]);
      expect(await exec([], sif, 'cat /etc/marker; touch /f')).toMatchObject({
        stdout: 'in the squashfs overlay\n',
        stderr: expect.stringContaining('Read-only file system'),
      });
      expect(await exec(['-w'], sif, 'echo kept >/f')).toMatchObject({ status: 0, stderr: '' });
      expect(await exec([], sif, 'cat /f /etc/marker')).toMatchObject({
        stdout: 'kept\nin the squashfs overlay\n',
      });
      expect(await exec(['-o', `${sif}:ro`], directory, 'cat /f')).toMatchObject({ stdout: 'kept\n' });
    });

    it('an ext3 image is a container, read, and written with --writable', async () => {
      const tree = place('root');
      cpSync(directory, tree, { recursive: true, verbatimSymlinks: true });
      const path = makeExt3(place('root.img'), [], tree);
      expect(await exec([], path, 'cat /etc/marker; touch /f')).toMatchObject({
        stdout: 'in the image\n',
        stderr: expect.stringContaining('Read-only file system'),
      });
      expect(await exec(['-w', '--no-home'], path, 'echo kept >/f')).toMatchObject({ status: 0 });
      expect(await exec([], path, 'cat /f')).toMatchObject({ stdout: 'kept\n' });
    });

    it('the end of the payload is the end of the start, by status and by signal', async () => {
      const path = layer();
      expect(await exec(['-o', path], image, 'exit 17')).toMatchObject({ status: 17, signal: null });
      expect(await exec(['-o', path], image, 'kill -TERM $$')).toMatchObject({
        status: null,
        signal: 'SIGTERM',
      });
      expect(await exec(['-p', '-o', path], image, 'touch /p; exit 3')).toMatchObject({ status: 3 });
      expect(await exec(['-o', path], image, 'ls /p')).toMatchObject({ stdout: '/p\n' });
    });

    it('a start that is killed takes container and servers with it, and what was written stays', async () => {
      const path = layer();
      const held = await holdContainer(folder, ['exec', '-o', path, image], 'echo kept >/f');
      expect(await held.end('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
      await eventually('nothing to be left', () => [...mountsOf(folder), ...openersOf(path)]);
      expect(await exec(['-o', path], image, 'cat /f')).toMatchObject({ stdout: 'kept\n', stderr: '' });
    });

    it('S14 who serves an ext3 has no rights of its own, and the payload none of its descriptors', async () => {
      const path = layer();
      const held = await holdContainer(folder, ['exec', '-o', path, image]);
      const status = statusOfServer('fuse2fs', path);
      await held.end();
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
      const inside = await exec(['-o', path], image, 'readlink /proc/self/fd/*');
      expect(inside.stdout.split('\n').filter((one) => one.includes(path) || one.includes('fuse'))).toEqual(
        [],
      );
    });

    it('S14 an ext3 that is none, or is larger than its file, is refused before anything parses it', async () => {
      const good = readFileSync(layer());
      const cases: [string, (bytes: Buffer) => void, string][] = [
        ['ext4', (bytes) => bytes.writeUInt32LE(0x2c2, 1024 + 96), 'features that ext3 does not know'],
        ['no-journal', (bytes) => bytes.writeUInt32LE(0x38, 1024 + 92), 'one without'],
        ['too-large', (bytes) => bytes.writeUInt32LE(0x7fffffff, 1024 + 4), 'larger than its place'],
        ['block-size', (bytes) => bytes.writeUInt32LE(40, 1024 + 24), 'impossible size'],
        ['magic', (bytes) => bytes.writeUInt16LE(0, 1080), 'image format not recognized'],
      ];
      for (const [name, change, sentence] of cases) {
        const bytes = Buffer.from(good);
        change(bytes);
        writeFileSync(place(name), bytes);
        const ended = await exec(['-o', `${place(name)}:ro`], image, 'true');
        expect([name, ended.status, ended.stderr]).toEqual([name, 255, expect.stringContaining(sentence)]);
      }
    });

    it('the inside of an ext3 leads nowhere: links in place of its directories are refused', async () => {
      const tree = place('links');
      mkdirSync(tree);
      symlinkSync('/etc', join(tree, 'upper'));
      const linked = makeExt3(place('links2.img'), ['work'], tree);
      const ended = await exec(['-o', linked], image, 'true');
      expect([ended.status, ended.stderr]).toEqual([
        255,
        expect.stringContaining('Expected a directory called upper in the layer'),
      ]);
    });

    it('a layer of somebody else is not written, with --fakeroot neither', async () => {
      const path = layer();
      const ended = await exec(['-f', '-o', path], image, 'true');
      expect([ended.status, ended.stderr]).toEqual([
        255,
        expect.stringContaining('sing overlay create --fakeroot'),
      ]);
    });

    it.skipIf(!asRoot)('a directory of somebody else is no writable overlay', async () => {
      const closed = folderLayer('closed');
      chownSync(closed, 0, 0);
      const ended = await exec(['-o', closed], image, 'true');
      expect([ended.status, ended.stderr]).toEqual([255, expect.stringContaining('in the layer')]);
    });

    it.skipIf(!asRoot)(
      'S14 a plan that would have the kernel mount the ext3 of somebody else is refused',
      async () => {
        const path = layer();
        chownSync(path, 0, 0);
        const words = [...serverIdle(folder, 0), 'exec', '--dry-run', '-o', path, image, 'true'];
        const { stdout } = await runSing(words, { as: 'root' });
        expect(stdout).toContain('"kind": "loop"');
        chownSync(path, ordinaryId(), ordinaryId());
        const ended = executePlan(place('plan'), stdout, [image, path]);
        expect([ended.status, ended.stderr]).toEqual([
          255,
          expect.stringContaining(
            'an ext3 image that others than root can write is not mounted by the kernel',
          ),
        ]);
      },
    );

    it.skipIf(!asRoot)('root mounts an ext3 of its own by the kernel, and no other', async () => {
      const path = layer();
      const root = (...words: string[]) => runSing([...serverIdle(folder, 0), ...words], { as: 'root' });
      const served = await root('exec', '-o', `${path}:ro`, image, 'cat', '/proc/self/mountinfo');
      expect(served).toMatchObject({ status: 0, stderr: '' });
      expect(served.stdout).not.toContain('ext3');
      chownSync(path, 0, 0);
      chmodSync(path, 0o644);
      const written = await root('exec', '-o', path, image, 'sh', '-c', 'echo kept >/f; mount');
      expect(written).toMatchObject({ status: 0, stderr: '' });
      expect(written.stdout).toMatch(/^overlay on \/ type overlay/m);
      expect(await root('exec', '-o', path, image, 'cat', '/f')).toMatchObject({
        stdout: 'kept\n',
        status: 0,
      });
      await eventually('the loop device to be free', () => mountsOf(folder));
    });

    it.skipIf(!asRoot).each([[[]], [['--pid']]])(
      'what the kernel writes to an ext3 of root is in the image when the start ends %j',
      async (flags) => {
        const path = layer();
        const copy = place('copy.img');
        chownSync(path, 0, 0);
        const words = [
          ...serverIdle(folder, 0),
          'exec',
          ...flags,
          '-o',
          path,
          image,
          'sh',
          '-c',
          'dd if=/dev/zero of=/big bs=1M count=20',
        ];
        expect(await runSing(words, { as: 'root' })).toMatchObject({ status: 0 });
        copyFileSync(path, copy);
        // What the journal has is not in its place yet.
        spawnSync('/sbin/e2fsck', ['-fy', copy]);
        const look = spawnSync('/sbin/debugfs', ['-R', 'stat /upper/big', copy], { encoding: 'utf8' });
        expect(look.stdout).toMatch(/Size: 20971520\b/);
        await eventually('the loop device to be free', () => mountsOf(folder));
      },
    );
  },
);
