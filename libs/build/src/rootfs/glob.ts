import { readdir } from 'node:fs/promises';
import { LIMITS } from '../limits.js';
import { buildFailure } from '../failure.js';

/** Whether a path holds any of the characters that make it a pattern: `*`, `?`, `[`, `\` (definition contract §6.1). */
function isPattern(part: string): boolean {
  return /[*?[\\]/.test(part);
}

/**
 * One path component as a regular expression: `*`, `?`, `[a-z]`, `[^a-z]` and `\` escapes; no braces, no `**`. Hidden files match `*`.
 * @throws DomainError for a bracket that is not closed, and for a range that is none
 */
export function componentPattern(part: string): RegExp {
  let source = '';
  for (let at = 0; at < part.length; at += 1) {
    const character = part[at] ?? '';
    // Several stars are as good as one, and cost a regular expression dearly.
    if (character === '*') source += source.endsWith('[^/]*') ? '' : '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const end = part.indexOf(']', at + 2);
      if (end < 0) throw buildFailure(`syntax error in pattern: ${part}`);
      const body = part.slice(at + 1, end);
      const negated = body.startsWith('^');
      source += `[${negated ? '^' : ''}${body.slice(negated ? 1 : 0).replace(/[\\\][^]/g, String.raw`\$&`)}]`;
      at = end;
    } else {
      if (character === '\\') at += 1;
      source += (part[at] ?? '\\').replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
    }
  }
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch (cause) {
    // A range that runs backwards, for example.
    throw buildFailure(`syntax error in pattern: ${part}`, { cause });
  }
}

/**
 * The existing paths that a pattern names, sorted.
 * @param pattern absolute
 * @param inside gives the real host path of an absolute path (identity for the host, resolution in the root for a stage)
 */
export async function expandPattern(
  pattern: string,
  exists: (path: string) => Promise<boolean>,
  inside: (path: string) => Promise<string>,
): Promise<string[]> {
  let found = ['/'];
  for (const part of pattern.split('/')) {
    if (part === '') continue;
    const next: string[] = [];
    for (const directory of found) {
      const base = directory === '/' ? '' : directory;
      if (isPattern(part)) {
        const names = (await readdir(await inside(directory)).catch(() => [])).filter((name) =>
          componentPattern(part).test(name),
        );
        next.push(...names.sort().map((name) => `${base}/${name}`));
      } else if (await exists(`${base}/${part}`)) {
        next.push(`${base}/${part}`);
      }
      if (next.length > LIMITS.filesPerPattern)
        throw buildFailure(`Expected at most ${LIMITS.filesPerPattern} matches for ${pattern}`);
    }
    found = next;
  }
  return found;
}
