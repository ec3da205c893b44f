import type { AbsolutePath, Bytes } from './plan.js';
import { refusal } from './refusal.js';

/** Longest path that the kernel takes, without the closing zero. */
const LONGEST_PATH = 4095;

/**
 * The path made absolute against a directory and cleaned as text: no empty or `.` parts, `..` takes the part before it away (at the root:
 * nothing), no slash at the end. Links are not looked at.
 * @param directory null when the working directory does not exist any more
 * @throws DomainError for a relative path without directory, and for one that is too long
 */
export function absolutePath(directory: AbsolutePath | null, path: Bytes): AbsolutePath {
  if (!path.startsWith('/') && directory === null)
    throw refusal(`"${path}" is relative, but the working directory does not exist any more`);
  const cleaned = cleanPath(path.startsWith('/') ? path : `${directory}/${path}`);
  if (cleaned.length > LONGEST_PATH) throw refusal(`the path "${path.slice(0, 60)}..." is too long`);
  return cleaned;
}

/** An absolute path without empty, `.` and `..` parts. */
export function cleanPath(path: AbsolutePath): AbsolutePath {
  const parts: Bytes[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Whether `path` is `directory` or lies below it, by whole components. Both are clean. */
export function isWithin(path: AbsolutePath, directory: AbsolutePath): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

/** The last part of a path; `/` for the root. */
export function baseName(path: AbsolutePath): Bytes {
  return path.slice(path.lastIndexOf('/') + 1) || '/';
}
