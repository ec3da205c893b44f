import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DIRECTIVES, parseConfiguration } from '#libs/runtime';
import { installed } from '../testing/installed.js';
import { World } from '../testing/world.js';
import { template, withoutMeaning } from './template.js';

vi.mock('../installation.js', async () => (await import('../testing/installed.js')).ofTest);

let world: World;
beforeEach(async () => {
  world = await World.create();
  installed.folder = world.folder;
});
afterEach(() => world.close());

const file = () => world.path('etc/singularity/singularity.conf');
const written = () => readFile(file(), 'utf8');
const put = async (text: string, mode = 0o644) => {
  await mkdir(world.path('etc/singularity'), { recursive: true });
  await writeFile(file(), text);
  await chmod(file(), mode);
};
const config = (...words: string[]) => world.run(['config', 'global', ...words]);
const get = async (name: string) => (await world.ok(['config', 'global', '--get', name])).stdout.trimEnd();

describe('sing config global', () => {
  it('writes a file with every rule, its meaning and its built-in value, where there is none', async () => {
    await world.ok(['config', 'global', '--set', 'mount home', 'no']);
    const text = await written();
    const values = parseConfiguration(text, 'x');
    for (const directive of DIRECTIVES)
      expect([directive.name, values.get(directive.name)]).toEqual([
        directive.name,
        directive.name === 'mount home' ? false : directive.default,
      ]);
    expect(text).toContain('# The home directory of the caller. (yes or no)\nmount home = no\n');
    expect((await stat(file())).mode & 0o777).toBe(0o644);
    expect(await readdir(world.path('etc/singularity'))).toEqual(['singularity.conf']);
  });

  it('keeps everything else in a file as it is', async () => {
    const before =
      '# ours\nMOUNT  Home = yes\n\n# later\nmount home = no\nbind path = /b\nunknown thing = 1\n[x]\n';
    await put(before);
    await world.ok(['config', 'global', '--set', 'Mount Home', 'no']);
    await world.ok(['config', 'global', '--set', 'bind path', '/a:/x', '/c']);
    await world.ok(['config', 'global', '--set', 'mount tmp', 'no']);
    expect(await written()).toBe(
      '# ours\nmount home = no\n\n# later\nbind path = /a:/x\nbind path = /c\nbind path = /b\nunknown thing = 1\n[x]\nmount tmp = no\n',
    );
    expect(await get('bind path')).toBe('/a:/x,/c,/b');
    await world.ok(['config', 'global', '--unset', 'bind path', '/c']);
    expect(await get('bind path')).toBe('/a:/x,/b');
    await world.ok(['config', 'global', '--reset', 'bind path']);
    expect(await get('bind path')).toBe('/etc/localtime,/etc/hosts');
  });

  it('shows what holds, also without a file, and as JSON', async () => {
    expect(await get('bind path')).toBe('/etc/localtime,/etc/hosts');
    expect(await get('mount dev')).toBe('yes');
    await put('');
    expect(await get('bind path')).toBe('');
    expect(await get('sessiondir max size')).toBe('64');
    await put('bind path = /a, /ö\n');
    const { stdout } = await world.ok(['config', 'global', '--get', 'bind path', '--json']);
    expect(JSON.parse(stdout)).toEqual({ values: ['/a', '/ö'] });
  });

  it('puts a value behind the comment that shows it', async () => {
    await world.ok(['config', 'global', '--set', 'limit container owners', 'ann']);
    expect(await written()).toContain('# limit container owners =\nlimit container owners = ann\n');
  });

  it('with --dry-run prints the file and changes nothing', async () => {
    await put('mount home = yes\n');
    expect((await world.ok(['config', 'global', '--dry-run', '--set', 'mount home', 'no'])).stdout).toBe(
      'mount home = no\n',
    );
    expect(await written()).toBe('mount home = yes\n');
  });

  it.each([
    [['--set', 'bogus', '1'], 255, 'there is no directive "bogus"'],
    [['--get', 'bogus'], 255, 'there is no directive "bogus"'],
    [['--set', 'mount dev', 'maybe'], 255, 'expected yes, no, minimal for "mount dev"'],
    [['--set', 'mount home', '1'], 255, 'expected yes or no for "mount home"'],
    [['--set', 'sessiondir max size', 'x'], 255, 'expected a number'],
    [['--set', 'always use nv', 'yes'], 255, 'is not offered by this version'],
    [['--set', 'mount dev', 'yes', 'no'], 255, '"mount dev" has one value, got 2'],
    [['--set', 'mount dev'], 255, 'expected a value for "mount dev", got none'],
    [['--set', 'bind path', ' '], 255, 'got nothing'],
    [['--set', 'bind path', '/a\nmount home = no'], 255, 'several lines'],
    [['--unset', 'bind path', '/nope'], 255, 'has no value "/nope"'],
    [['--unset', 'mount home', 'yes'], 255, 'cannot be taken away'],
    [['mount home'], 1, 'expected one of --set, --unset, --get, --reset, got none'],
    [['--get', '--reset', 'mount home'], 1, 'got --get and --reset'],
  ])('%j is refused', async (words, status, sentence) => {
    const ended = await config(...words);
    expect([ended.status, ended.stderr]).toEqual([status, expect.stringContaining(sentence)]);
    await expect(written()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('trusts no file that others could have written', async () => {
    await put('mount home = yes\n', 0o666);
    expect((await config('--set', 'mount tmp', 'no')).stderr).toContain(
      'must not be writable by group or others',
    );
    await mkdir(world.path('x'));
    await symlink(file(), world.path('x/link'));
    expect(
      (await world.run(['-c', world.path('x/link'), 'config', 'global', '--get', 'mount tmp'])).stderr,
    ).toContain('regular file');
  });

  it('changes the file that --config names', async () => {
    const other = world.path('own.conf');
    await world.ok(['-c', other, 'config', 'global', '--set', 'mount tmp', 'no']);
    expect(await readFile(other, 'utf8')).toContain('\nmount tmp = no\n');
    await expect(written()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('of many at once loses none', async () => {
    await put('bind path = /0\n');
    await Promise.all(
      Array.from({ length: 8 }, (_, i) => world.ok(['config', 'global', '--set', 'bind path', `/n${i}`])),
    );
    expect((await get('bind path')).split(',').toSorted()).toEqual([
      '/0',
      ...Array.from({ length: 8 }, (_, i) => `/n${i}`),
    ]);
  });

  it('is for root and the owner of the installation', async () => {
    if (process.getuid?.() !== 0) return;
    installed.folder = '/';
    process.seteuid?.(65534);
    try {
      const ended = await config('--set', 'mount tmp', 'no');
      expect([ended.status, ended.stderr]).toEqual([
        255,
        expect.stringContaining('Only root or the owner of the installation'),
      ]);
    } finally {
      process.seteuid?.(0);
    }
  });

  it('has a meaning for every directive in a new file', () => {
    expect(withoutMeaning()).toEqual([]);
    expect(template()).not.toContain('undefined');
  });
});
