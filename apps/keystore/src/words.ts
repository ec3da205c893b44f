import { LIMITS } from './limits.js';

/** The address in `Name <a@b>` or `a@b`, lower case. A whole domain cannot be asked for. */
export function emailIn(text: string): string | undefined {
  const inside = /<([^<>]*)>\s*$/.exec(text)?.[1] ?? text;
  const address = inside.trim().toLowerCase();
  return /^[^\s@<>]+@[^\s@<>]+$/.test(address) ? address : undefined;
}

/** Lower-case words of at least two characters; anything that is no letter and no digit separates them. */
export function wordsOf(text: string): string[] {
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u);
  return [...new Set(words)].filter(
    (word) => word.length >= 2 && Buffer.byteLength(word) <= LIMITS.handleBytes,
  );
}
