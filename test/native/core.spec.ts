import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const BUILD_MINUTES = 15;

// The C++ unit tests, every source of ours compiled with address and undefined-behaviour checks.
it(
  'the native core passes its own tests under the sanitizers',
  () => {
    const built = spawnSync(process.execPath, ['addon/build.mjs', 'tests'], { cwd: root, encoding: 'utf8' });
    expect(built).toMatchObject({ status: 0, stderr: '' });
    const ran = spawnSync(resolve(root, 'addon/build/core-tests'), {
      encoding: 'utf8',
      env: { ASAN_OPTIONS: 'detect_leaks=1' },
    });
    expect(`${ran.stdout}${ran.stderr}`).toMatch(/^\d+ tests, 0 failed\n$/);
    expect(ran.status).toBe(0);
  },
  BUILD_MINUTES * 60_000,
);
