import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { DomainError, RootTree } from '#libs/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLayer, openLayout, verifyLayer } from './index.js';

type Entry = {
  name: string;
  content?: string;
  type?: 'directory' | 'symlink' | 'link' | 'fifo';
  linkname?: string;
  mode?: number;
};

async function archive(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { name, content = '', type, linkname, mode } of entries) {
    tar.entry(
      {
        name,
        ...(type && { type }),
        ...(linkname !== undefined && { linkname }),
        ...(mode !== undefined && { mode }),
      },
      content,
    );
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const sha = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

describe('OCI layers', () => {
  let base: string;
  let tree: RootTree;
  const warnings: string[] = [];

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'oci-'));
    await mkdir(join(base, 'root'));
    await writeFile(join(base, 'host'), 'host');
    tree = await RootTree.open(join(base, 'root'));
    warnings.length = 0;
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  async function apply(entries: readonly Entry[], suffix = '+gzip'): Promise<void> {
    const tar = await archive(entries);
    const bytes = suffix === '+gzip' ? gzipSync(tar) : suffix === '+zstd' ? zstdCompressSync(tar) : tar;
    const path = join(base, 'layer');
    await writeFile(path, bytes);
    const layer = {
      mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
      digest: sha(bytes),
      size: bytes.length,
      path,
    };
    await verifyLayer(layer);
    await applyLayer(tree, layer, { warn: (message) => warnings.push(message) });
  }

  it.each(['', '+gzip', '+zstd'])('unpacks files, directories and links (tar%s)', async (suffix) => {
    await apply(
      [
        { name: 'bin/', type: 'directory', mode: 0o555 },
        { name: 'bin/tool', content: 'x', mode: 0o4755 },
        { name: 'bin/same', type: 'link', linkname: 'bin/tool' },
        { name: 'lib', type: 'symlink', linkname: 'bin' },
        { name: `${'deep/'.repeat(40)}file`, content: 'long name' },
      ],
      suffix,
    );
    expect((await stat(join(tree.root, 'bin/tool'))).mode & 0o7777).toBe(0o4755);
    expect((await stat(join(tree.root, 'bin'))).mode & 0o7777).toBe(0o555);
    expect((await stat(join(tree.root, 'bin/same'))).nlink).toBe(2);
    expect(await readlink(join(tree.root, 'lib'))).toBe('bin');
    expect(await readFile(join(tree.root, `${'deep/'.repeat(40)}file`), 'utf8')).toBe('long name');
  });

  it('applies whiteouts and opaque markers to lower layers only', async () => {
    await apply([{ name: 'a/gone' }, { name: 'a/kept' }, { name: 'b/lower' }]);
    await apply([{ name: 'a/.wh.gone' }, { name: 'b/upper' }, { name: 'b/.wh..wh..opq' }]);
    expect(await tree.list('a')).toEqual(['kept']);
    expect(await tree.list('b')).toEqual(['upper']);
  });

  it('replaces a link by a file instead of writing through it', async () => {
    await apply([
      { name: 'f', type: 'symlink', linkname: '/target' },
      { name: 'target', content: 'old' },
    ]);
    await apply([{ name: 'f', content: 'new' }]);
    expect(await readFile(join(tree.root, 'target'), 'utf8')).toBe('old');
    expect(await readFile(join(tree.root, 'f'), 'utf8')).toBe('new');
  });

  it.each<[string, Entry[]]>([
    ['a name that climbs', [{ name: '../host', content: 'evil' }]],
    ['a hard link that climbs', [{ name: 'x', type: 'link', linkname: '../host' }]],
  ])('refuses %s', async (_, entries) => {
    await expect(apply(entries)).rejects.toThrow('without ..');
    expect(await readFile(join(base, 'host'), 'utf8')).toBe('host');
  });

  it.each<[string, Entry[]]>([
    ['an absolute name', [{ name: '/host', content: 'evil' }]],
    [
      'a link to the host',
      [
        { name: 'l', type: 'symlink', linkname: '../../..' },
        { name: 'l/host', content: 'evil' },
      ],
    ],
    [
      'a link to itself',
      [
        { name: 'l', type: 'symlink', linkname: '.' },
        { name: 'l/host', content: 'evil' },
      ],
    ],
  ])('keeps %s inside the root', async (_, entries) => {
    await apply(entries);
    expect(await readFile(join(base, 'host'), 'utf8')).toBe('host');
    expect(await readFile(join(tree.root, 'host'), 'utf8')).toBe('evil');
  });

  it('leaves special files out and says so once', async () => {
    await apply([
      { name: 'p1', type: 'fifo' },
      { name: 'p2', type: 'fifo' },
    ]);
    expect(warnings).toEqual(['Device files and pipes of the image are left out, the first is /p1']);
  });

  it('refuses broken compression with a sentence', async () => {
    const path = join(base, 'broken');
    await writeFile(path, 'not gzip');
    const layer = {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: sha(Buffer.from('x')),
      size: 8,
      path,
    };
    await expect(applyLayer(tree, layer, { warn: () => undefined })).rejects.toThrow(DomainError);
    await expect(verifyLayer(layer)).rejects.toThrow('Expected content with digest');
  });
});

describe('an OCI layout', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'layout-'));
    await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
    await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function put(content: string): Promise<{ digest: string; size: number }> {
    const digest = sha(Buffer.from(content));
    await writeFile(join(directory, 'blobs/sha256', digest.slice(7)), content);
    return { digest, size: Buffer.byteLength(content) };
  }

  async function image(extra: object = {}): Promise<{ digest: string; size: number; mediaType: string }> {
    const config = await put('{"architecture":"amd64","os":"linux","config":{"Cmd":["a"]}}');
    const layer = await put('layer');
    const manifest = {
      config: { mediaType: 'c', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
      ...extra,
    };
    return {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...(await put(JSON.stringify(manifest))),
    };
  }

  const index = (manifests: object[]) =>
    writeFile(join(directory, 'index.json'), JSON.stringify({ manifests }));

  it('finds the image of a tag', async () => {
    await index([{ ...(await image()), annotations: { 'org.opencontainers.image.ref.name': 'one' } }]);
    const found = await openLayout(directory, { tag: 'one', architecture: 'amd64' });
    expect(found).toMatchObject({ architecture: 'amd64', run: { Cmd: ['a'] } });
    expect(found.layers).toHaveLength(1);
    await expect(openLayout(directory, { tag: 'two', architecture: 'amd64' })).rejects.toThrow(
      'it holds: one',
    );
  });

  it('chooses by architecture and names what is offered', async () => {
    await index([{ ...(await image()), platform: { os: 'linux', architecture: 'amd64' } }]);
    await expect(openLayout(directory, { tag: undefined, architecture: 'arm64' })).rejects.toThrow(
      'offered are linux/amd64',
    );
  });

  it('refuses a document whose content is not what its digest says', async () => {
    const entry = await image();
    await writeFile(join(directory, 'blobs/sha256', entry.digest.slice(7)), 'x'.repeat(entry.size));
    await index([entry]);
    await expect(openLayout(directory, { tag: undefined, architecture: 'amd64' })).rejects.toThrow(
      'with digest',
    );
  });

  it('refuses a manifest that is an index as well', async () => {
    await index([await image({ manifests: [] })]);
    await expect(openLayout(directory, { tag: undefined, architecture: 'amd64' })).rejects.toThrow(
      'ambiguous',
    );
  });

  it.each(['sha256:../../../etc/passwd', 'md5:00', 'sha256:ABC'])('refuses the digest %s', async (digest) => {
    await index([{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 }]);
    await expect(openLayout(directory, { tag: undefined, architecture: 'amd64' })).rejects.toThrow('digest');
  });
});
