import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, runSing, skipContainers } from '../support/containers.js';
import {
  commandWithFuse,
  ENVIRONMENT,
  makeSquashfs,
  runWithFuse,
  serverIdle,
  skipFuse,
} from '../support/fuse.js';
import type { FuseDevice } from '../support/fuse.js';
import { lacking } from '../support/needs.js';
import { give, loopsOf } from '../support/overlays.js';
import { eventually, processesWith } from '../support/processes.js';
import { sifFixture, sifFixtureNames } from '../support/sif-fixtures.js';
import { temporaryFolder } from '../support/temporary.js';

/** What a program inside the tiny fixtures prints, and how it is called. */
const HELLO = ['/bin/hello'];

/** Runtime contract §2.7; the second for groups that have a name. */
const WITHOUT_ETC =
  /^(WARNING: Not adding you to the image's \/etc\/(passwd|group): No such file or directory\n){1,2}$/;

/** Well-formed, and not for this runtime. */
const REFUSED_IMAGES = new Map([
  ['images/oci-sif.sif', 'the SIF file has no primary partition'],
  ['encrypted/encrypted-gocryptfs-passphrase.sif', 'encrypted'],
  ['encrypted/encrypted-gocryptfs-pem.sif', 'encrypted'],
  ['encrypted/encrypted-luks2-passphrase.sif.gz', 'encrypted'],
]);

// Image files, by every way in which one can be opened by a start alone: served by a FUSE server of its own, unpacked, and by the kernel as root.
describe.skipIf(skipContainers() || skipFuse())('image files', () => {
  let folder = '';
  let remove = async (): Promise<void> => undefined;
  /** Where images are unpacked for a run: in the usual place those of other tests are, too. */
  let runs = '';
  const images = new Map<string, string>();

  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    runs = join(folder, 'runs');
    mkdirSync(runs);
    give(runs);
    const root = makeImage(folder, {
      'etc/marker': 'in the image\n',
      '.singularity.d/runscript': '#!/bin/sh\necho run\n',
    });
    for (const compression of ['gzip', 'zstd', 'xz', 'lz4', 'lzo'])
      images.set(compression, makeSquashfs(root, join(folder, `${compression}.sqfs`), '-comp', compression));
  });
  afterAll(() => remove());

  const image = (name: string): string => images.get(name) ?? '';
  const run = (device: FuseDevice, words: readonly string[]): ReturnType<typeof runWithFuse> =>
    runWithFuse(folder, device, [...serverIdle(folder, 0), ...words], { SINGULARITY_TMPDIR: runs });
  const leftOvers = (): string[] => [...processesWith(folder), ...readdirSync(runs)];
  const nothingIsLeft = (): Promise<void> => eventually('nothing of the container to be left', leftOvers);

  it.each(['gzip', 'zstd', 'xz', 'lz4', 'lzo'])('a squashfs with %s is served by FUSE', async (name) => {
    const ended = await run('open', ['exec', image(name), 'sh', '-c', 'cat /etc/marker; id -u']);
    expect(ended).toEqual({ status: 0, signal: null, stdout: `in the image\n${ordinaryId()}\n`, stderr: '' });
    await nothingIsLeft();
  });

  it.each([
    ['gzip', '4K'],
    ['zstd', '128K'],
    ['lz4', '1M'],
    ['xz', '128K'],
    ['lzo', '64K'],
    ['zstd', '1M', '-no-fragments'],
    ['zstd', '64K', '-always-use-fragments', '-noI'],
    ['gzip', '128K', '-noD', '-noF'],
  ] as const)(
    'with %s and blocks of %s every byte of every file is served, in any order and by several at once',
    async (compression, block, ...more) => {
      const name = `bytes-${compression}-${block}-${more.join('')}`;
      mkdirSync(join(folder, name));
      const tree = makeImage(join(folder, name));
      const sizes = [0, 1, 4095, 4096, 4097, 65_536, 131_071, 131_072, 131_073, 1_048_577, 3_000_001];
      for (const size of sizes) {
        // Half of it compresses well, half does not.
        const content = Buffer.concat([Buffer.alloc(size >> 1, 'ab'), randomBytes(size - (size >> 1))]);
        writeFileSync(join(tree, `file-${size}`), content);
      }
      // Holes: at the beginning, in the middle and at the end, which is in the middle of a block.
      const sparse = openSync(join(tree, 'file-sparse'), 'w');
      writeSync(sparse, 'begin', 400_000);
      writeSync(sparse, 'end', 2_500_000);
      ftruncateSync(sparse, 4_100_123);
      closeSync(sparse);
      const served = makeSquashfs(
        tree,
        join(folder, `${name}.sqfs`),
        '-comp',
        compression,
        '-b',
        block,
        ...more,
      );
      const files = readdirSync(tree)
        .filter((file) => file.startsWith('file-'))
        .sort();
      const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
      const contents = new Map(files.map((file) => [file, readFileSync(join(tree, file))]));
      const script = [
        'set -e',
        // At once, so that threads of the server meet at the same blocks.
        'for i in 1 2 3; do for f in /file-*; do busybox sha256sum "$f" >/tmp/sums-$i-$(basename $f) & done; done; wait',
        'cat /tmp/sums-*',
        // From the end to the beginning, not at borders of blocks.
        'for k in 28 27 14 3 1 0; do dd if=/file-3000001 bs=100003 skip=$k count=1 2>/dev/null | busybox sha256sum; done',
      ]
        .join('; ')
        .replaceAll('$(basename $f)', '${f##*/}');
      const ended = await run('open', ['-s', 'exec', '--contain', served, 'sh', '-c', script]);
      expect(ended.stderr).toBe('');
      const sums = ended.stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split('  '));
      const expected = [1, 2, 3].flatMap(() =>
        files.map((file) => [hash(contents.get(file) ?? Buffer.of()), `/${file}`]),
      );
      expect(sums.slice(0, -6)).toEqual(expected);
      const large = contents.get('file-3000001') ?? Buffer.of();
      expect(sums.slice(-6).map(([sum]) => sum)).toEqual(
        [28, 27, 14, 3, 1, 0].map((k) => hash(large.subarray(k * 100_003, (k + 1) * 100_003))),
      );
    },
  );

  it('without FUSE the image is unpacked for the run into a folder that only its owner can enter, and removed', async () => {
    const look = `cat /etc/marker; stat -c '%a %u %n' ${runs}/*`;
    const ended = await run('closed', ['exec', image('zstd'), 'sh', '-c', look]);
    expect(ended.stdout.replace(/[0-9a-f]{32}$/m, 'NAME')).toBe(
      `in the image\n700 ${ordinaryId()} ${runs}/sing-NAME\n`,
    );
    await nothingIsLeft();
  });

  it('what a run has left whose cleaner was killed goes with the next one, but not what is in use', async () => {
    const script = 'echo ready; read -r line; cat /etc/marker';
    const words = [...serverIdle(folder, 0), 'exec', image('zstd'), 'sh', '-c', script];
    const [program = '', ...args] = commandWithFuse(folder, 'closed', words);
    const child = spawn(program, args, {
      cwd: '/',
      env: { ...ENVIRONMENT, SINGULARITY_TMPDIR: runs },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    expect(String((await once(child.stdout, 'data'))[0])).toBe('ready\n');
    // The name says which process uses it.
    const used = new RegExp(
      `^sing-[0-9a-f]{16}${Number(child.pid).toString(16).padStart(8, '0')}[0-9a-f]{8}$`,
    );
    const left = (): string[] => readdirSync(runs).filter((name) => used.test(name));
    expect(left()).toHaveLength(1);
    for (const line of processesWith('sing-image').filter((one) => one.includes(image('zstd'))))
      process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    const another = async (): Promise<void> => {
      expect((await run('closed', ['exec', image('gzip'), 'cat', '/etc/marker'])).status).toBe(0);
      await eventually('its cleaner to end', () =>
        processesWith('sing-image').filter((one) => one.includes(folder)),
      );
    };
    await another();
    expect(left()).toHaveLength(1);
    const said = text(child.stdout);
    const closed = once(child, 'close');
    child.stdin.end('go\n');
    expect(await said).toBe('in the image\n');
    await closed;
    expect(left()).toHaveLength(1);
    await another();
    expect(left()).toEqual([]);
  });

  it('a payload that is killed leaves neither server, mount nor unpacked image', async () => {
    for (const device of ['open', 'closed'] as const) {
      const ended = await run(device, ['exec', image('gzip'), 'sh', '-c', 'kill -9 $$']);
      expect(ended.signal).toBe('SIGKILL');
      await nothingIsLeft();
    }
  });

  it('the server outlives signals that the payload catches', async () => {
    const script =
      'trap "cat /etc/marker" TERM; kill -TERM $$; kill -TERM 0; cat /etc/group >/dev/null && echo alive';
    const ended = await run('open', ['exec', image('gzip'), 'sh', '-c', script]);
    expect(ended.stdout).toContain('alive');
  });

  it('a reader sees the end of the output when the payload closes it, although payload and server go on', async () => {
    const script = 'echo last; exec >&- 2>&-; while :; do sleep 0.05; done';
    const [program = '', ...args] = commandWithFuse(folder, 'open', [
      ...serverIdle(folder, 0),
      'exec',
      image('gzip'),
      'sh',
      '-c',
      script,
    ]);
    const child = spawn(program, args, { cwd: '/', env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await text(child.stdout)).toBe('last\n');
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await nothingIsLeft();
  });

  it.skipIf(process.getuid?.() !== 0)('root mounts it by the kernel and leaves no loop device', async () => {
    const words = ['exec', image('gzip'), 'sh', '-c', 'cat /etc/marker; id -u'];
    const ended = await runSing([...serverIdle(folder, 0), ...words], { as: 'root' });
    expect(ended).toMatchObject({ status: 0, stdout: 'in the image\n0\n' });
    await eventually('the loop device to be free', () => loopsOf(folder));
  });

  describe('SIF files of other programs', () => {
    const place = (name: string): string => {
      const path = join(folder, name.replaceAll('/', '-'));
      if (!existsSync(path)) writeFileSync(path, sifFixture(name));
      return path;
    };
    // Signatures are not looked at without an execution control list.
    const whole = ['images', 'legacy']
      .flatMap(sifFixtureNames)
      .filter((name) => !REFUSED_IMAGES.has(name) && !name.endsWith('.gz'));

    it.each(whole)('%s runs', async (name) => {
      const ended = await run('open', ['exec', place(name), ...HELLO]);
      const { stderr, ...how } = ended;
      expect(how).toEqual({ status: 0, signal: null, stdout: expect.stringMatching(/^hello from /) });
      expect(stderr).toMatch(/deterministic|scratch/.test(name) ? WITHOUT_ETC : /^$/);
    });

    it.each([...REFUSED_IMAGES])('%s is refused: %s', async (name, sentence) => {
      const ended = await run('open', ['exec', place(name), ...HELLO]);
      expect(ended).toMatchObject({ status: 255, stdout: '', stderr: expect.stringContaining(sentence) });
    });

    // Their own /bin/sh is no shell.
    it.each([
      ['images/unsigned.sif', 'tiny rootfs for SIF tests\n'],
      ['images/with-overlay-squashfs.sif', 'motd from squashfs overlay\n'],
      ...(lacking('fuse2fs') === undefined
        ? [['images/with-overlay-ext3.sif.gz', 'motd from ext3 overlay\n']]
        : []),
      ['images/with-overlay-other-group.sif', 'tiny rootfs for SIF tests\n'],
    ])('%s shows the overlays of the group of its root', async (name, motd) => {
      const words = ['exec', '-B', '/bin/busybox:/bin/sh', place(name), '/bin/cat', '/etc/motd'];
      expect(await run('open', words)).toEqual({ status: 0, signal: null, stdout: motd, stderr: '' });
    });

    it.each(sifFixtureNames('hostile'))(
      '%s is run or refused with a sentence, and nothing else happens',
      async (name) => {
        const path = join(folder, name.replaceAll('/', '-'));
        writeFileSync(path, sifFixture(name));
        const ended = await run('open', ['exec', path, ...HELLO]);
        const refused = ended.status === 255 && /^FATAL: {3}\S.{10,}\n$/.test(ended.stderr);
        expect([ended, ended.signal === null && (ended.status === 0 || refused)]).toEqual([ended, true]);
      },
    );
  });

  describe('a damaged or hostile squashfs', () => {
    /** The bytes of a squashfs whose metadata is not compressed, so that single names in it can be changed. */
    const plain = (content: Readonly<Record<string, string>>, name: string): Buffer => {
      const source = join(folder, `source-${name}`);
      for (const [path, text] of Object.entries(content)) {
        mkdirSync(join(source, path, '..'), { recursive: true });
        writeFileSync(join(source, path), text);
      }
      return readFileSync(makeSquashfs(source, join(folder, `${name}.sqfs`), '-noI', '-noD', '-noF', '-noX'));
    };
    const replaceAll = (bytes: Buffer, from: string, to: string): Buffer =>
      Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1');
    /** What became of starting it, by FUSE and unpacked: signal, status, and whether the sentence of the refusal had `reason` in it when it was unpacked. */
    const attack = async (name: string, bytes: Buffer, reason = 'FATAL:'): Promise<unknown[]> => {
      const path = join(folder, `${name}.img`);
      writeFileSync(path, bytes);
      const results: unknown[] = [];
      for (const device of ['open', 'closed'] as const) {
        const { signal, status, stderr } = await run(device, ['exec', path, '/bin/x']);
        results.push([
          signal,
          status,
          stderr.includes('FATAL:') && (device === 'open' || stderr.includes(reason)),
        ]);
        await nothingIsLeft();
      }
      return results;
    };
    const REFUSED = [
      [null, 255, true],
      [null, 255, true],
    ];

    it.each(['../eviL', '/etc/ev', '..\0\0\0\0\0'])(
      'a file called %j reaches nothing outside',
      async (evil) => {
        const bytes = replaceAll(plain({ 'bin/marker7': 'x' }, 'names'), 'marker7', evil);
        expect(await attack('names', bytes, 'that is no name')).toEqual(REFUSED);
        expect(existsSync('/eviL')).toBe(false);
        expect(existsSync('/etc/ev')).toBe(false);
      },
    );

    it.each([0.2, 0.5, 0.9, 0.99])('cut off after %f of its bytes', async (part) => {
      const whole = readFileSync(image('gzip'));
      expect(await attack('cut', whole.subarray(0, Math.floor(whole.length * part)))).toEqual(REFUSED);
    });

    it('with every table offset turned to the end of the world', async () => {
      for (let field = 40; field < 96; field += 8) {
        const bytes = Buffer.from(readFileSync(image('gzip')));
        bytes.writeBigUInt64LE(0x7fffffffffff0000n, field);
        expect(await attack('tables', bytes)).toEqual(REFUSED);
      }
    });

    it('a link to a directory of the host does not carry an unpacked file there', async () => {
      // Two entries of one directory get the same name: a link, and a directory that would be made through it.
      mkdirSync(join(folder, 'outside'));
      chmodSync(join(folder, 'outside'), 0o777);
      const source = plain({ 'bbbbbbb/stolen': 'x', aaaaaaa: join(folder, 'outside') }, 'twins');
      expect(await attack('twins', replaceAll(source, 'bbbbbbb', 'aaaaaaa'), 'File exists')).toEqual(REFUSED);
      expect(readdirSync(join(folder, 'outside'))).toEqual([]);
    });
  });
});
