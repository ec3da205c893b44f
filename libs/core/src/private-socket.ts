import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Whether nobody but this user (and root) can reach a unix socket, or put another one in its place and listen there: the
 * socket itself or its folder belongs to them and is closed to everybody else.
 * A socket that is not there yet is as private as its folder.
 */
export function isPrivateSocket(path: string): boolean {
  return isClosed(dirname(path)) || isClosed(path);
}

function isClosed(path: string): boolean {
  try {
    const { uid, mode } = lstatSync(path);
    return (uid === 0 || uid === process.geteuid?.()) && (mode & 0o077) === 0;
  } catch {
    return false;
  }
}
