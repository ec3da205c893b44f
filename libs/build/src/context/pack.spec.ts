import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { RootTree } from '#libs/core';
import { parseDefinition } from '#libs/deffile';
import { unpackArchive } from '#libs/oci';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packContext } from './pack.js';

describe('a build context', () => {
  let base: string;
  let tree: RootTree;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'context-'));
    await mkdir(join(base, 'work/dir/sub'), { recursive: true });
    await mkdir(join(base, 'out'));
    await writeFile(join(base, 'work/a'), 'a'.repeat(100_000));
    await writeFile(join(base, 'work/dir/b'), 'b');
    await writeFile(join(base, 'work/dir/sub/empty'), '');
    await symlink('../a', join(base, 'work/dir/link'));
    tree = await RootTree.open(join(base, 'out'));
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  const packed = (files: string) =>
    packContext({
      definition: parseDefinition(`bootstrap: scratch\n%files\n${files}%files from x\nother\n`),
      workingDirectory: join(base, 'work'),
      output: join(base, 'context.tar.gz'),
      signal: undefined,
    });
  const unpack = (path: string) => unpackArchive(tree, createReadStream(path), { warn: () => undefined });

  it('72: holds files, directories, patterns and what links lead to, at their absolute paths', async () => {
    const context = await packed('a /x\ndir\nd*/b\n');
    if (context === undefined) throw new Error('no context');
    const bytes = await readFile(context.path);
    expect(context).toMatchObject({
      size: bytes.length,
      digest: `sha256.${createHash('sha256').update(bytes).digest('hex')}`,
    });
    await unpack(context.path);
    const at = (path: string) => join(tree.root, base, 'work', path);
    expect(await readFile(at('a'), 'utf8')).toHaveLength(100_000);
    expect(await readFile(at('dir/link'), 'utf8')).toHaveLength(100_000);
    expect(await readFile(at('dir/sub/empty'), 'utf8')).toBe('');
  });

  it('is none when nothing of this machine is wanted', async () => {
    expect(await packed('')).toBeUndefined();
  });

  it.each([
    ['a directory above it', 'sub/up', '..', 'is a link to a directory above it'],
    ['nothing', 'sub/dangling', 'gone', 'is a link that leads to nothing'],
    ['a device', 'sub/null', '/dev/null', 'unsupported file type'],
  ])('is not made of a link to %s', async (_, name, target, message) => {
    await symlink(target, join(base, 'work/dir', name));
    await expect(packed('dir\n')).rejects.toMatchObject({
      message: expect.stringContaining(message) as unknown,
      remedy: expect.stringContaining('%files') as unknown,
    });
  });

  it('says which pattern matches nothing', async () => {
    await expect(packed('a\nnothing*\n')).rejects.toThrow('nothing*: file does not exist');
  });

  it('that unpacks to more than it may is refused before it does', async () => {
    const context = await packed('a\n');
    const source = createReadStream(context?.path ?? '');
    const options = { warn: () => undefined, limitBytes: 99_999 };
    await expect(unpackArchive(tree, source, options)).rejects.toThrow('at most 99999 unpacked bytes');
  });

  it.each([
    ['an absolute name', { name: '/x' }, 'relative names'],
    ['a name that climbs', { name: '../x' }, 'without ..'],
    ['a device', { name: 'x', type: 'character-device' as const }, 'no special files'],
    [
      'a link that climbs',
      { name: 'a/x', type: 'symlink' as const, linkname: '../../x' },
      'stay in the archive',
    ],
    ['a hard link that climbs', { name: 'x', type: 'link' as const, linkname: '../x' }, 'without ..'],
  ])('44: with %s is refused', async (_, header, message) => {
    const tar = pack();
    tar.entry(header, '');
    tar.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk as Buffer);
    await writeFile(join(base, 'evil'), gzipSync(Buffer.concat(chunks)));
    await expect(unpack(join(base, 'evil'))).rejects.toThrow(message);
    expect(await tree.list('/')).toEqual([]);
  });
});
