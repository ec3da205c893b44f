import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, PROGRAM, skipContainers, type Ended } from '../support/containers.js';
import { commandWithFuse, ENVIRONMENT, makeSquashfs, runWithFuse } from '../support/fuse.js';
import { useImageFiles } from '../support/image-files.js';
import { eventually } from '../support/processes.js';
import { execute } from '../support/unpacked.js';

const ROOT = process.getuid?.() === 0;
const WORKS = { status: 0, signal: null, stdout: 'first\n' };
const UNPACKING = /^INFO: {4}Unpacking the image into the cache/m;

// Images of users where /dev/fuse is closed: unpacked once, used by every start after that, removed when nobody uses them.
describe.skipIf(skipContainers() || !ROOT)('the cache of unpacked images', () => {
  let slow = '';
  /** CACHEDIR of one test. */
  let place = '';
  /** Where images are unpacked for a run: in the usual place those of other tests are, too. */
  let runs = '';

  const files = useImageFiles((folder) => {
    const tree = makeImage(folder, { first: 'first\n' });
    const image = makeSquashfs(tree, join(folder, 'whole.sqfs'), '-comp', 'zstd');
    // So many files that a start can be met while it unpacks.
    for (let count = 0; count < 8000; count += 1) {
      if (count % 500 === 0) mkdirSync(join(tree, `many/${count / 500}`), { recursive: true });
      writeFileSync(join(tree, `many/${Math.floor(count / 500)}/${count}`), `${count}`);
    }
    slow = makeSquashfs(tree, join(folder, 'slow.sqfs'), '-comp', 'zstd');
    return image;
  }, nothingIsLeft);
  beforeEach(() => {
    place = files.own(`place-${files.number}`);
    runs = files.own('runs');
  });

  async function nothingIsLeft(): Promise<void> {
    await eventually('nothing to run any more', () => files.processes());
    await eventually('nothing unpacked for a run to be left', () => readdirSync(runs));
  }
  const cache = (): string => join(place, 'cache/rootfs');
  const entries = (): string[] =>
    existsSync(cache()) ? readdirSync(cache()).filter((name) => name !== '.lock') : [];
  const configuration = (lines: string): readonly string[] => {
    const path = join(files.folder, `conf-${files.number}`);
    writeFileSync(path, `${lines}\nbind path = /etc/localtime, /etc/hosts\n`);
    return ['-c', path];
  };
  const run = (
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Ended> => runWithFuse(files.folder, 'closed', words, { ...places(), ...environment });
  const places = (): Readonly<Record<string, string>> => ({
    SINGULARITY_CACHEDIR: place,
    SINGULARITY_TMPDIR: runs,
  });
  const exec = (flags: readonly string[] = [], file = files.image): Promise<Ended> =>
    run([...flags, 'exec', file, 'cat', '/first']);
  /** A container that says `ready` and ends with its input; `file` is its image. */
  const container = async (
    file = files.image,
  ): Promise<{ child: ChildProcessWithoutNullStreams; leave: () => Promise<string> }> => {
    const child = start(['exec', file, 'sh', '-c', 'echo ready; read -r line; cat /first']);
    expect(String((await once(child.stdout, 'data'))[0])).toBe('ready\n');
    return {
      child,
      leave: async () => {
        const said = once(child.stdout, 'data');
        const closed = once(child, 'close');
        child.stdin.end('go\n');
        const text = String((await said)[0]);
        await closed;
        return text;
      },
    };
  };
  function start(words: readonly string[], prefix: readonly string[] = []): ChildProcessWithoutNullStreams {
    const child = files.start('closed', words, places(), prefix);
    child.stderr.resume();
    return child;
  }
  /** As `sing cache clean` does; the names of what is in use. */
  const clean = (names: readonly string[]): Promise<Ended> =>
    execute([
      'setpriv',
      '--reuid',
      String(ordinaryId()),
      '--regid',
      String(ordinaryId()),
      '--clear-groups',
      PROGRAM,
      '--clean-unpacked',
      cache(),
      ...names,
    ]);

  it('is filled by the first start and used by the second', async () => {
    const first = await exec();
    expect(first).toMatchObject(WORKS);
    expect(first.stderr).toMatch(UNPACKING);
    const made = entries();
    expect(made).toHaveLength(1);
    const inode = statSync(join(cache(), made[0] ?? '', 'rootfs')).ino;
    expect(await exec()).toEqual({ ...WORKS, stderr: '' });
    expect(entries()).toEqual(made);
    expect(statSync(join(cache(), made[0] ?? '', 'rootfs')).ino).toBe(inode);
    for (const path of [join(place, 'cache'), cache()]) expect(statSync(path).mode & 0o7777).toBe(0o700);
  });

  it('--verbose says which way was taken, and why not the others', async () => {
    const first = await exec(['-v']);
    expect(first.stderr).toMatch(/\/dev\/fuse is not open to this user/);
    expect(first.stderr).toMatch(/unpacked into the cache/);
    expect((await exec(['-v'])).stderr).toMatch(/mounted from the cache of unpacked images/);
  });

  it('is read-only, nosuid and nodev inside, and nothing of it is open in the payload', async () => {
    const script = 'grep " / / \\| / " /proc/self/mountinfo | head -n 1; touch /new; ls -l /proc/self/fd';
    const ended = await run(['exec', files.image, 'sh', '-c', script]);
    expect(ended.stderr).toMatch(/touch: \/new: Read-only file system/);
    expect(ended.stdout).not.toContain('cache/rootfs/');
  });

  it('is not used with --disable-cache, by configuration, and with --fakeroot', async () => {
    const unpacked = /^INFO: {4}Unpacking the image for this run/m;
    for (const ended of [
      await run(['exec', '--disable-cache', files.image, 'cat', '/first']),
      await run(['exec', files.image, 'cat', '/first'], { SINGULARITY_DISABLE_CACHE: '1' }),
      await exec(configuration('unpacked cache size = 0')),
      await run(['exec', '--fakeroot', files.image, 'cat', '/first']),
    ]) {
      expect(ended).toMatchObject(WORKS);
      expect(ended.stderr).toMatch(unpacked);
    }
    expect(readdirSync(place)).toEqual([]);
  });

  it('two starts at once unpack once', async () => {
    copyFileSync(slow, files.image);
    const both = await Promise.all([exec(), exec()]);
    for (const ended of both) expect(ended).toMatchObject(WORKS);
    expect(both.filter(({ stderr }) => UNPACKING.test(stderr))).toHaveLength(1);
    expect(entries()).toHaveLength(1);
  });

  it('a start that is killed while it unpacks leaves what the next one removes', async () => {
    copyFileSync(slow, files.image);
    // Behind whoever looks for it: where others take the processor the moment in which it is met becomes longer, too.
    const child = start(['exec', files.image, 'true'], ['nice', '-n', '19']);
    await eventually('the start to unpack', () => {
      const [made = ''] = entries();
      return made.startsWith('.new-') && existsSync(join(cache(), made, 'rootfs/many/1'));
    });
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    await eventually('the process that unpacks to end', () => files.processes());
    expect(entries()).toHaveLength(1);
    expect(entries()[0]).toMatch(/^\.new-/);
    const next = await exec();
    expect(next).toMatchObject(WORKS);
    expect(next.stderr).toMatch(UNPACKING);
    expect(entries()).toHaveLength(1);
    expect(entries()[0]).not.toMatch(/^\./);
  });

  it('a changed image is another image', async () => {
    await exec();
    const before = entries();
    appendFileSync(files.image, Buffer.alloc(4096));
    expect((await exec()).stderr).toMatch(UNPACKING);
    expect(entries()).toHaveLength(2);
    expect(entries()).toEqual(expect.arrayContaining(before));
  });

  it('what a container uses is not cleaned; afterwards it is', async () => {
    const used = await container();
    const [name = ''] = entries();
    expect(await clean([name])).toMatchObject({ status: 0, stdout: `${name}\n` });
    expect(entries()).toEqual([name]);
    expect(await used.leave()).toBe('first\n');
    await eventually('the use to end', () => files.processes());
    expect(await clean([name])).toMatchObject({ status: 0, stdout: '' });
    expect(entries()).toEqual([]);
  });

  it('the use ends with a payload that is killed', async () => {
    const { child } = await container();
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    await eventually('the use to end', () => files.processes());
    const [name = ''] = entries();
    expect(await clean([name])).toMatchObject({ status: 0, stdout: '' });
    expect(entries()).toEqual([]);
  });

  it('what was not used for the longest time makes room, what is in use stays', async () => {
    const images = ['a', 'b', 'c'].map((letter) =>
      join(files.folder, `image-${files.number}-${letter}.sqfs`),
    );
    for (const path of images) copyFileSync(files.whole, path);
    const [a = '', b = '', c = ''] = images;
    const limit = configuration('unpacked cache size = 5');
    // Two of them fit.
    const used = await container(a);
    const [first = ''] = entries();
    await exec(limit, b);
    const second = entries().find((name) => name !== first) ?? '';
    utimesSync(join(cache(), first, 'key'), 1, 1);
    expect(await exec(limit, c)).toMatchObject(WORKS);
    expect(entries()).toHaveLength(2);
    expect(entries()).toContain(first);
    expect(entries()).not.toContain(second);
    expect(await used.leave()).toBe('first\n');
  });

  it('one that does not fit is unpacked for the run, with a sentence', async () => {
    const ended = await exec(configuration('unpacked cache size = 1'));
    expect(ended).toMatchObject(WORKS);
    expect(ended.stderr).toMatch(/The files of the image are larger than 1 MiB.*sing cache clean/);
    expect(entries()).toEqual([]);
  });

  it.each([
    ['of somebody else', (path: string) => chownSync(path, 0, 0)],
    ['open to others', (path: string) => chmodSync(path, 0o755)],
    [
      'that is a link',
      (path: string) => {
        rmSync(path, { recursive: true });
        symlinkSync(files.own('elsewhere'), path);
      },
    ],
  ])('a folder %s is not used', async (_what, spoil) => {
    files.own(`place-${files.number}/cache`);
    spoil(files.own(`place-${files.number}/cache/rootfs`));
    const ended = await exec(['-v']);
    expect(ended).toMatchObject(WORKS);
    expect(ended.stderr).toMatch(/not mounted by unpacked: (?:Expected the folder|open) /);
    expect(entries()).toEqual([]);
  });

  it('a folder of a group, which hands its setgid down, is used', async () => {
    chmodSync(place, 0o2755);
    expect(await exec()).toMatchObject(WORKS);
    expect(statSync(cache()).mode & 0o7777).toBe(0o2700);
    expect(await exec()).toEqual({ ...WORKS, stderr: '' });
  });

  it.each(['key', 'rootfs'])('an image of which somebody removed the %s is made anew', async (part) => {
    await exec();
    const [name = ''] = entries();
    rmSync(join(cache(), name, part), { recursive: true });
    expect((await exec()).stderr).toMatch(UNPACKING);
    expect(entries()).toEqual([name]);
    expect(await exec()).toEqual({ ...WORKS, stderr: '' });
  });

  it('a full disk is no reason not to start', async () => {
    const words = ['exec', files.image, 'cat', '/first'];
    const small = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount -t tmpfs -o size=1m,mode=0700,uid="$1" none "$2"; shift 2; exec "$@"',
      'sh',
      String(ordinaryId()),
      place,
    ];
    const ended = await execute([...small, ...commandWithFuse(files.folder, 'closed', words)], {
      ...ENVIRONMENT,
      ...places(),
    });
    expect(ended).toMatchObject(WORKS);
    expect(ended.stderr).toMatch(/No space left on device.*sing cache clean/);
  });

  it('a damaged image is refused and nothing of it stays', async () => {
    const bytes = readFileSync(files.whole);
    bytes.fill(0xff, 96, bytes.length / 2);
    writeFileSync(files.image, bytes);
    expect(await exec()).toMatchObject({ status: 255, stdout: '' });
    expect(entries()).toEqual([]);
  });

  it('a file name that is no name reaches nothing outside', async () => {
    const source = join(files.folder, `names-${files.number}`);
    mkdirSync(source);
    writeFileSync(join(source, 'marker7'), 'x');
    const bytes = readFileSync(makeSquashfs(source, files.image, '-noI', '-noD', '-noF', '-noX'));
    writeFileSync(
      files.image,
      Buffer.from(bytes.toString('latin1').replaceAll('marker7', '../eviL'), 'latin1'),
    );
    const ended = await exec();
    expect(ended.status).toBe(255);
    expect(ended.stderr).toContain('that is no name');
    expect(entries()).toEqual([]);
    expect(existsSync(join(cache(), 'eviL'))).toBe(false);
  });

  it('another key under the same name is not taken for it', async () => {
    await exec();
    const key = join(cache(), entries()[0] ?? '', 'key');
    writeFileSync(key, readFileSync(key, 'utf8').replace(' size ', ' size 1'));
    const ended = await exec();
    expect(ended).toMatchObject(WORKS);
    expect(ended.stderr).toMatch(/another image has the same name/);
  });
});
