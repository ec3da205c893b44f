import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Why tests that need these programs cannot run here: undefined when they can, and always where SING_MUST_WORK=1 says
 * that they have to (then they fail instead). For `describe.skipIf(…)`.
 */
export function lacking(...programs: readonly string[]): string | undefined {
  if (process.env['SING_MUST_WORK'] === '1') return undefined;
  const missing = programs.filter((program) => !isThere(program));
  return missing.length === 0 ? undefined : `${missing.join(', ')} not found on the PATH`;
}

function isThere(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    const file = join(folder, program);
    if (!existsSync(file)) return false;
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** For the end of the name of a group of tests: why it is skipped, where it is. */
export function skipped(reason: string | undefined): string {
  return reason === undefined ? '' : ` (skipped: ${reason})`;
}
