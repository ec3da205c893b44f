import { DomainError } from '#libs/core';

/**
 * Whether a tag is one of a pattern: its characters, and `*` for any number of any characters. In one pass over the tag for each part
 * between stars, whatever the pattern is.
 */
export function matchesTag(pattern: string, tag: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return tag === first;
  if (!tag.startsWith(first) || !tag.endsWith(last) || tag.length < first.length + last.length) return false;
  const end = tag.length - last.length;
  let place = first.length;
  for (const part of parts) {
    const found = tag.indexOf(part, place);
    if (found < 0 || found + part.length > end) return false;
    place = found + part.length;
  }
  return true;
}

/** The pattern that protects a tag, if one does. */
export function protectionOf(tag: string, patterns: readonly string[]): string | undefined {
  return patterns.find((pattern) => matchesTag(pattern, tag));
}

/** What moving or removing a protected tag is refused with, whoever asks. */
export function protectedTag(tag: string, pattern: string): DomainError {
  return new DomainError('conflict', `The tag ${tag} is protected by "${pattern}": it stays with its image`, {
    reason: 'tag_protected',
    remedy: 'Take another tag; owners change what is protected.',
  });
}
