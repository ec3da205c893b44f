import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inOwnWorld } from './own-world.mjs';

const run = promisify(execFile);
const MAIN = new URL('./stock-programs/main.mjs', import.meta.url).pathname;
const BUILD = new URL('../../test/support/stock-programs.script.ts', import.meta.url).pathname;
const HOOKS = new URL('../../test/support/typescript-hooks.mjs', import.meta.url).pathname;

/**
 * `apptainer` and `singularity` themselves, built from their sources, against an instance on port 443, for which the network is one of its own: what they are told,
 * what they say, and every byte; and `sing` on what they made. Once, however often is asked.
 */
export async function stockPrograms({ folder }) {
  const words = ['--conditions=source', '--experimental-transform-types', `--import=${HOOKS}`, BUILD];
  const { stdout } = await run(process.execPath, ['--disable-warning=ExperimentalWarning', ...words]);
  return inOwnWorld([MAIN, folder, stdout.trim()], ['--net']);
}
