import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSif, DataType, FileAccess, FileSystem, PartitionType } from '#libs/sif';
import { startScript } from '../support/script.js';
import { FIXTURE_CLOCK as clock } from '../support/sif-keys.js';
import { temporaryFolder } from '../support/temporary.js';

const MIB = 2 ** 20;
const DATA_START = 32768;
/** The least that no 32-bit number holds; more (20) where somebody has the minute that hashing it takes. */
const SIGNED_GIB = Number(process.env['SCS_TEST_IMAGE_GIB'] ?? 5);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

/** An image whose partition takes no room on the disk: a small one whose descriptor says more, and a longer file. */
async function sparseImage(bytes: number): Promise<string> {
  const path = join(folder.path, `${bytes}.sif`);
  const access = await FileAccess.open(path, 'create');
  const partition = { fileSystem: FileSystem.squashfs, type: PartitionType.primary, architecture: 'amd64' };
  const made = await createSif(access, {
    clock,
    objects: [
      { type: DataType.partition, data: Buffer.alloc(4096, 1), extra: { kind: 'partition', partition } },
    ],
  });
  const sizes = Buffer.alloc(16);
  sizes.writeBigInt64LE(BigInt(bytes), 0);
  sizes.writeBigInt64LE(BigInt(bytes + DATA_START - made.tableEnd), 8);
  await access.write(sizes, Number(made.header.descriptorsOffset) + 25);
  await access.truncate(DATA_START + bytes);
  await access.close();
  return path;
}

interface Outcome {
  readonly ok: boolean;
  readonly written: readonly [from: number, to: number][];
  readonly peak: number;
}

describe('an image that is larger than memory', () => {
  it.each([
    ['add', 20],
    ['sign', SIGNED_GIB],
  ])(
    'needs for %s no more memory than a small one, and nothing of its %i GiB is written again',
    async (what, gib) => {
      const bytes = gib * 1024 * MIB;
      const script = startScript('sif-large.script.ts', [what, await sparseImage(bytes)]);
      const { ok, written, peak } = JSON.parse(await script.line(() => true)) as Outcome;
      expect(ok).toBe(true);
      const inside = written.filter(([from, to]) => to > DATA_START && from < DATA_START + bytes);
      expect([written.length > 0, inside]).toEqual([true, []]);
      expect(written.reduce((sum, [from, to]) => sum + to - from, 0)).toBeLessThan(64 * 1024);
      // Node with what it loads takes a part of that.
      expect(peak * 1024).toBeLessThan(300 * MIB);
    },
    180_000,
  );
});
