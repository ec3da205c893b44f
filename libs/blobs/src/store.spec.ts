import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileBlobDriver } from './fileDriver.js';
import { blobKey } from './layout.js';
import { MemoryBlobDriver } from './memoryDriver.js';
import { BlobStore } from './store.js';
import { blobSuite } from './testing/blobs.suite.js';

describe('a blob store in memory', () => {
  blobSuite({
    kind: 'memory',
    open: async () => {
      const driver = new MemoryBlobDriver();
      return { driver, restart: async () => driver, remove: async () => undefined };
    },
    keepsWhatIsRead: true,
    runs: 30,
  });
});

describe('a blob store in a folder', () => {
  blobSuite({
    kind: 'file',
    open: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'scs-blobs-'));
      const open = () => FileBlobDriver.open(folder);
      return { driver: await open(), restart: open, remove: () => rm(folder, { recursive: true }) };
    },
    keepsWhatIsRead: true,
    runs: 30,
  });
});

describe('the file driver', () => {
  it('lists blobs and nothing else that somebody has put beside them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scs-blobs-'));
    try {
      const store = new BlobStore(await FileBlobDriver.open(folder));
      const writer = await store.write({ limit: 10 });
      await writer.write([Buffer.from('blob')]);
      const { digest } = await writer.commit();
      const beside = join(folder, blobKey(digest), '..');
      await writeFile(join(folder, 'sha256', 'README'), 'x');
      await writeFile(join(beside, 'notes'), 'x');
      await mkdir(join(beside, `${digest.slice(7, 9)}${'0'.repeat(62)}`));
      await symlink('/dev/null', join(beside, `${digest.slice(7, 9)}${'1'.repeat(62)}`));
      expect(await store.list(undefined, 10)).toMatchObject([{ digest, size: 4 }]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('makes folders and files that nobody else can read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scs-blobs-'));
    const before = process.umask(0);
    try {
      const store = new BlobStore(await FileBlobDriver.open(join(folder, 'store')));
      const writer = await store.write({ limit: 10 });
      await writer.write([Buffer.from('secret')]);
      const { digest } = await writer.commit();
      const file = join(folder, 'store', blobKey(digest));
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      for (const name of ['store', 'store/sha256', 'store/incoming', `store/sha256/${digest.slice(7, 9)}`])
        expect((await stat(join(folder, name))).mode & 0o777).toBe(0o700);
      expect(await readdir(join(folder, 'store', 'incoming'))).toEqual([]);
    } finally {
      process.umask(before);
      await rm(folder, { recursive: true });
    }
  });
});
