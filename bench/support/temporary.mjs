import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own. SCS_BENCH_FOLDER says on which disk; the temporary folder's by default. */
export async function temporaryFolder() {
  const path = await mkdtemp(join(process.env.SCS_BENCH_FOLDER ?? tmpdir(), 'scs-bench-'));
  return {
    path,
    sub: (name) => {
      const below = join(path, name);
      mkdirSync(below, { recursive: true, mode: 0o700 });
      return below;
    },
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
