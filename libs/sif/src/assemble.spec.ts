import { ManualClock } from '#libs/core';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary.js';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { FileAccess } from './access/file.js';
import { MemoryAccess } from './access/memory.js';
import { addObject } from './add.js';
import { assembleImage, type ImageParts } from './assemble.js';
import { DataType } from './codes.js';
import { groupOf, nameOf } from './descriptor.js';
import { headerArchitecture, withoutPadding } from './header.js';
import { LAUNCH_SCRIPT } from './layout.js';
import { readObject } from './object.js';
import { readSif, type SifImage } from './read.js';
import { rootPartition } from './select.js';
import { updateSifFile, withSifFile } from './update.js';

const clock = new ManualClock('2026-11-24T12:00:00Z');
const parts: ImageParts = {
  definition: 'bootstrap: scratch\n\n',
  metadata: { 'oci-config.json': '{"Cmd":["sh"]}', 'inspect-metadata.json': '{}', 'empty.json': '' },
  rootfs: new MemoryAccess(Buffer.alloc(3 * 1024 * 1024 + 5, 9)),
  architecture: 'arm64',
  clock,
};

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

describe('assembleImage', () => {
  const path = () => join(folder.path, 'image.sif');
  const written = async (): Promise<SifImage> => readSif(new MemoryAccess(await readFile(path())));

  it('puts definition, JSON by name and the root partition into group 1', async () => {
    await assembleImage(path(), parts);
    const image = await written();
    expect(image.descriptors.map((one) => [one.type, nameOf(one), groupOf(one)])).toEqual([
      [DataType.definition, '', 1],
      [DataType.json, 'inspect-metadata.json', 1],
      [DataType.json, 'oci-config.json', 1],
      [DataType.partition, '', 1],
    ]);
    expect(withoutPadding(image.header.launch).toString()).toBe(LAUNCH_SCRIPT);
    expect(headerArchitecture(image.header)).toBe('arm64');
    const root = rootPartition(image);
    expect(root.descriptor.offset % 4096n).toBe(0n);
    const data = await readObject(image, root.descriptor, 4 * 1024 * 1024);
    expect(data.equals(Buffer.alloc(3 * 1024 * 1024 + 5, 9))).toBe(true);
  });

  it('replaces what was there and obeys the umask', async () => {
    await writeFile(path(), 'old');
    const old = process.umask(0o027);
    try {
      await assembleImage(path(), parts);
    } finally {
      process.umask(old);
    }
    expect((await stat(path())).mode & 0o777).toBe(0o750);
    expect((await written()).descriptors).toHaveLength(4);
  });

  it('leaves neither image nor partial file when it fails', async () => {
    await writeFile(path(), 'old');
    const failing = { size: 10, readInto: () => Promise.reject(new Error('source went away')) };
    await expect(assembleImage(path(), { ...parts, rootfs: failing })).rejects.toThrow('source went away');
    expect(await readdir(folder.path)).toEqual(['image.sif']);
    expect(await readFile(path(), 'utf8')).toBe('old');
  });

  it('gives equal files for equal parts in deterministic mode', async () => {
    const other = join(folder.path, 'other.sif');
    await assembleImage(path(), { ...parts, deterministic: true });
    await assembleImage(other, {
      ...parts,
      clock: new ManualClock('2027-01-01T00:00:00Z'),
      deterministic: true,
    });
    expect((await readFile(path())).equals(await readFile(other))).toBe(true);
  });

  it('stops when it is cancelled', async () => {
    const signal = AbortSignal.abort(new Error('cancelled'));
    await expect(assembleImage(path(), { ...parts, signal })).rejects.toThrow('cancelled');
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe('image files', () => {
  it.each([
    ['nothing', (path: string) => path + '-missing', 'There is no '],
    ['a folder', (path: string) => path, 'Expected a regular file'],
  ])('refuse %s', async (_what, place, message) => {
    await expect(FileAccess.open(place(folder.path), 'read')).rejects.toThrow(message);
  });

  it('never follow a link that lies where a new file goes', async () => {
    await writeFile(join(folder.path, 'victim'), 'precious');
    await symlink('victim', join(folder.path, 'new.sif'));
    await expect(FileAccess.open(join(folder.path, 'new.sif'), 'create')).rejects.toThrow('already exists');
    expect(await readFile(join(folder.path, 'victim'), 'utf8')).toBe('precious');
  });

  it('are changed by one at a time: twenty additions at once all stay', async () => {
    const path = join(folder.path, 'image.sif');
    await writeFile(path, sifFixture('images/unsigned.sif'));
    const texts = Array.from({ length: 20 }, (_, index) => `object ${index}`);
    await Promise.all(
      texts.map((text) =>
        updateSifFile(path, (access) =>
          addObject(access, { type: DataType.generic, data: Buffer.from(text) }, { clock }),
        ),
      ),
    );
    const found = await withSifFile(path, async (access) => {
      const image = await readSif(access);
      const added = image.descriptors.filter((one) => one.type === DataType.generic);
      return Promise.all(added.map(async (one) => (await readObject(image, one, 100)).toString()));
    });
    expect(found.toSorted()).toEqual(texts.toSorted());
    expect(await readdir(folder.path)).toEqual(['image.sif']);
  });

  it('are changed through a link without replacing it', async () => {
    const path = join(folder.path, 'image.sif');
    await mkdir(join(folder.path, 'links'));
    const link = join(folder.path, 'links', 'link.sif');
    await writeFile(path, sifFixture('images/unsigned.sif'));
    await symlink(path, link);
    await updateSifFile(link, (access) =>
      addObject(access, { type: DataType.generic, data: Buffer.from('x') }, { clock }),
    );
    expect((await readSif(new MemoryAccess(await readFile(path)))).descriptors).toHaveLength(4);
  });
});
