import { join } from 'node:path';

/** The folder of the installation, of one test alone. */
export const installed = { folder: '' };

/**
 * In the place of `installation.ts`, for tests of what an installation has for all its users:
 *
 * ```ts
 * vi.mock('../installation.js', async () => (await import('../testing/installed.js')).ofTest);
 * ```
 */
export const ofTest = {
  installation: () => ({ folder: installed.folder, version: '0.1.0' }),
  configurationFolder: () => join(installed.folder, 'etc/singularity'),
} satisfies typeof import('../installation.js');
