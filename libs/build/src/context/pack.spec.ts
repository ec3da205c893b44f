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

  it('says which pattern matches nothing', async () => {
    await expect(packed('a\nnothing*\n')).rejects.toThrow('nothing*: file does not exist');
  });

  it.each([
    ['an absolute name', { name: '/x' }, 'relative names'],
    ['a name that climbs', { name: '../x' }, 'without ..'],
    ['a device', { name: 'x', type: 'character-device' as const }, 'no special files'],
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
