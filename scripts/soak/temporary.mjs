import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for one stage. @param kind in its name */
export async function temporaryFolder(kind = 'soak') {
  const path = await mkdtemp(join(tmpdir(), `scs-${kind}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
