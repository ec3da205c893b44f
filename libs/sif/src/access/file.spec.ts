import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sifFixture, sifFixtureNames } from '../../../../test/support/sif-fixtures.js';
import { addObject } from '../add.js';
import { DataType } from '../codes.js';
import { readSif } from '../read.js';
import { listText } from '../text.js';
import { updateSifFile, withSifFile } from '../update.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-sif-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Of files in the folder: other tests have used this process, and what they have left closes when it likes. */
const openDescriptors = async (): Promise<string[]> => {
  const names = await readdir('/proc/self/fd');
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(folder));
};

describe('descriptors of image files', () => {
  it('are closed, whatever became of the image', async () => {
    const names = sifFixtureNames('hostile');
    const paths = await Promise.all(
      names.map(async (name, index) => {
        const path = join(folder, `${index}.sif`);
        await writeFile(path, sifFixture(name));
        return path;
      }),
    );
    const clock = { now: () => new Date() };
    const input = { type: DataType.generic, data: Buffer.from('x') };
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 3; round += 1)
      for (const path of [...paths, folder, join(folder, 'nothing')])
        for (const work of [
          () => withSifFile(path, async (access) => listText(await readSif(access))),
          () => updateSifFile(path, (access) => addObject(access, input, { clock })),
        ])
          await work().then(
            () => (outcomes.read += 1),
            () => (outcomes.refused += 1),
          );
    expect(await openDescriptors()).toEqual([]);
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(50);
  });
});
