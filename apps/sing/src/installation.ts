import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Installation {
  /** Folder that holds `package.json`, `bin/`, `dist/` and `node_modules/`. */
  readonly folder: string;
  readonly version: string;
}

/**
 * Where this program is installed and which version it is: the nearest package.json of ours above this file, since
 * sources, `dist/` and the bundle lie at different depths.
 * @throws Error when there is none
 */
export function installation(from = import.meta.dirname): Installation {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = readPackage(join(folder, 'package.json'));
    if (found?.name === 'scs' && found.version !== undefined) return { folder, version: found.version };
    if (folder === dirname(folder)) throw new Error(`Found no package.json of scs above ${from}`);
  }
}

/** Where the configuration files of the installation lie (runtime contract §0.2). */
export function configurationFolder(): string {
  return join(installation().folder, 'etc/singularity');
}

function readPackage(file: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}
