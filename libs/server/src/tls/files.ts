import { statSync } from 'node:fs';

/**
 * What changes when one of the files is written or replaced, also by a link on the way to it that leads elsewhere now:
 * that is how Kubernetes and certbot put new certificates in place.
 */
export function stampOf(files: readonly string[]): string {
  return files.map(stamp).join('|');
}

function stamp(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined
    ? 'none'
    : `${found.dev}:${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}`;
}
