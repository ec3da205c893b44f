import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Installation {
  /** The folder that holds package.json, `bin/`, `dist/` and `node_modules/`. */
  readonly folder: string;
  readonly version: string;
}

/**
 * Where this program is installed and which version it is, from the nearest package.json above this file:
 * sources and `dist/` lie at different depths.
 * @throws Error when there is none
 */
export function installation(from: string = dirname(fileURLToPath(import.meta.url))): Installation {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = readPackage(join(folder, 'package.json'));
    if (found?.name === 'scs') return { folder, version: found.version };
    if (folder === dirname(folder)) throw new Error(`Found no package.json of scs above ${from}`);
  }
}

function readPackage(file: string): { name: string; version: string } | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  return JSON.parse(text) as { name: string; version: string };
}
