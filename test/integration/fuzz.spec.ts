import { execFile, spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skipped } from '../support/needs.js';
import { lackingWorld } from '../support/own-world.js';
import { temporaryFolder } from '../support/temporary.js';

const FUZZ = fileURLToPath(new URL('../../scripts/fuzz.mjs', import.meta.url));
/** Of each reader, a tenth of what `npm run fuzz` takes. */
const SECONDS = Number(process.env['SCS_TEST_FUZZ_SECONDS'] ?? 6);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const fuzz = (...words: string[]) =>
  new Promise<{ status: number | null; said: string }>((resolve) => {
    const parameters = [FUZZ, '--failures', join(folder.path, 'failures'), ...words];
    execFile(process.execPath, parameters, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });

describe('readers of hostile bytes', () => {
  it.each([
    ['sif', SECONDS],
    ['clear-signed', SECONDS],
    ['packets', SECONDS],
    ['envelope', SECONDS / 2],
    ['ocsp', SECONDS / 2],
  ])(
    'answer whatever they are given, at once and in little memory: %s',
    async (name, seconds) => {
      const { status, said } = await fuzz('--only', name, '--seconds', String(seconds));
      expect([status, said]).toEqual([
        0,
        expect.stringMatching(/^\S+: \d{3,} inputs, \d{2,} blocks and refusals/),
      ]);
    },
    (SECONDS + 120) * 1000,
  );
});

describe('the native core', () => {
  const BUILD_MINUTES = 15;
  const build = fileURLToPath(new URL('../../addon/build.mjs', import.meta.url));
  beforeAll(() => {
    const { status, stderr } = spawnSync(process.execPath, [build, 'tests'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`Expected the fuzzer to be built, got: ${stderr}`);
  }, BUILD_MINUTES * 60_000);

  it(
    'reads whatever plan it is given: it is refused with a sentence, or what the core relies on holds',
    async () => {
      const { status, said } = await fuzz('--only', 'plans', '--seconds', String(SECONDS / 2));
      process.stdout.write(said);
      const words = /^plans: \d{3,} plans, \d{2,} accepted, \d{2,} kinds of refusals, \d+ MiB \(seed \d+\)$/m;
      expect([status, said]).toEqual([0, expect.stringMatching(words)]);
    },
    (SECONDS + 120) * 1000,
  );

  const lacks = lackingWorld();
  it.skipIf(lacks)(
    `starts whatever plan it accepts: it ends as documented, and nothing is changed or left${skipped(lacks)}`,
    async () => {
      const { status, said } = await fuzz('--only', 'starts', '--seconds', String(SECONDS / 2));
      process.stdout.write(said);
      const words =
        /^starts: \d{2,} plans started, \d+ payloads ran \(.*\), nothing changed or left.* \(seed \d+\)$/m;
      expect([status, said]).toEqual([0, expect.stringMatching(words)]);
    },
    (SECONDS + 120) * 1000,
  );
});

describe('a reader with a planted fault', () => {
  it.each([
    ['crash', 60, /planted\n/],
    ['hang', 60, /takes longer than 1000 ms/],
    // The others end the run; this one is seen at its end.
    ['memory', 6, /FAILED: too much memory/],
  ])(
    'is found out: %s',
    async (fault, seconds, words) => {
      const run = ['--only', `planted-${fault}`, '--seconds', String(seconds), '--seed', '7'];
      const { status, said } = await fuzz(...run);
      expect([status, said]).toEqual([1, expect.stringMatching(words)]);
      const kept = (await readdir(join(folder.path, 'failures'))).filter((file) => file.includes(fault));
      const inputs = await Promise.all(
        kept.map((file) => readFile(join(folder.path, 'failures', file), 'latin1')),
      );
      expect(inputs.map((input) => input.slice(0, 4))).toEqual(fault === 'memory' ? [] : ['FUZ!']);
    },
    180_000,
  );
});
