import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DomainError } from './errors.js';
import { RootTree } from './rootTree.js';

describe('RootTree', () => {
  let base: string;
  let tree: RootTree;

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'root-tree-'));
    await mkdir(join(base, 'root'));
    await writeFile(join(base, 'secret'), 'host');
    tree = await RootTree.open(join(base, 'root'));
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  it.each([
    ['/a/b', '/a/b'],
    ['a/./b/', '/a/b'],
    ['../../etc/x', '/etc/x'],
    ['/', ''],
  ])('resolves %s inside the root', async (path, inside) => {
    expect(await tree.resolve(path)).toBe(join(tree.root, inside));
  });

  it('follows links as the container would', async () => {
    await symlink('/target', join(tree.root, 'absolute'));
    await symlink('../../../secret', join(tree.root, 'escape'));
    expect(await tree.resolve('absolute/x')).toBe(join(tree.root, 'target/x'));
    expect(await tree.resolve('escape')).toBe(join(tree.root, 'secret'));
    expect(await tree.resolve('escape', false)).toBe(join(tree.root, 'escape'));
  });

  it('refuses a loop of links', async () => {
    await symlink('loop', join(tree.root, 'loop'));
    await expect(tree.resolve('loop')).rejects.toThrow(DomainError);
  });

  it('never writes through a link to the host', async () => {
    await symlink(join(base, 'secret'), join(tree.root, 'file'));
    await symlink(base, join(tree.root, 'dir'));
    await tree.write('file', 'image');
    await tree.write('dir/secret', 'image');
    expect(await readFile(join(base, 'secret'), 'utf8')).toBe('host');
    expect((await tree.read(join(base, 'secret'), 100))?.toString()).toBe('image');
  });

  it('never reads through a link to the host', async () => {
    await symlink(join(base, 'secret'), join(tree.root, 'file'));
    expect(await tree.read('file', 100)).toBeUndefined();
  });

  it('refuses to read more than the limit', async () => {
    await tree.write('big', 'x'.repeat(11));
    await expect(tree.read('big', 10)).rejects.toThrow('Expected at most 10 bytes');
  });

  it('makes parents, and replaces files and links but not directories', async () => {
    await tree.write('a/b/c', 'one', 0o600);
    await tree.write('a/b/c', 'two', 0o755);
    expect((await tree.lstat('a/b/c'))?.mode).toBe(0o100755);
    await tree.link('a/l', 'b');
    await tree.link('a/l', 'c');
    await expect(tree.write('a/b', 'x')).rejects.toMatchObject({ code: 'ERR_FS_EISDIR' });
    expect(await tree.list('a')).toEqual(['b', 'l']);
    await tree.remove('a');
    expect(await tree.lstat('a')).toBeUndefined();
  });
});
