import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for one stage. */
export async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'scs-soak-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
