import { DomainError } from '#libs/core';
import type { Bytes } from '#libs/runtime';

/** Ids that a mapping has to have (runtime contract §3.7, §0.1 D1). */
const COUNT = 65_536;
/** Where new mappings begin: the highest block first, so that they meet neither accounts nor what useradd gives out. */
const HIGHEST_START = 4_294_836_224;
/** No block reaches down to the ids of accounts. */
const LOWEST_START = COUNT;

export interface Who {
  readonly name: Bytes;
  readonly uid: number;
}

interface Entry {
  readonly owner: Bytes;
  readonly disabled: boolean;
  readonly start: number;
  readonly count: number;
}

/** A line `name-or-uid:start:count`, with `!` in front when it is disabled; null for every other line. */
function entryOf(line: Bytes): Entry | null {
  const match = /^\s*(!?)([^:!\s]+):(\d{1,10}):(\d{1,10})\s*$/.exec(line);
  if (match === null) return null;
  const [, mark, owner = '', start, count] = match;
  return { owner, disabled: mark === '!', start: Number(start), count: Number(count) };
}

/** Whether a line is a mapping of the user that --fakeroot could use: smaller ones are for others to keep. */
function isMapping(line: Bytes, { name, uid }: Who): boolean {
  const entry = entryOf(line);
  return entry !== null && (entry.owner === name || entry.owner === String(uid)) && entry.count >= COUNT;
}

export const hasMapping = (text: Bytes, who: Who): boolean =>
  text.split('\n').some((line) => isMapping(line, who));

/**
 * The highest block of 65536 ids that no entry of any of the files touches, disabled ones neither.
 * @throws DomainError when there is none left
 */
export function freeStart(files: readonly Bytes[]): number {
  const taken = files.flatMap((text) => text.split('\n')).flatMap((line) => entryOf(line) ?? []);
  for (let start = HIGHEST_START; start >= LOWEST_START; start -= COUNT)
    if (taken.every((entry) => entry.start + entry.count <= start || entry.start >= start + COUNT))
      return start;
  throw new DomainError('unavailable', 'Every block of 65536 ids is taken in /etc/subuid and /etc/subgid', {
    reason: 'no_ids',
    exitCode: 255,
  });
}

/** With a mapping of the user: one that is there is enabled, else a new line stands at the end. */
export function added(text: Bytes, who: Who, start: number): Bytes {
  if (hasMapping(text, who)) return enabled(text, who, true);
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${whole}${who.name}:${start}:${COUNT}\n`;
}

export function removed(text: Bytes, who: Who): Bytes {
  return text
    .split('\n')
    .filter((line) => !isMapping(line, who))
    .join('\n');
}

/** With the mappings of the user enabled, or disabled by a `!` in front. */
export function enabled(text: Bytes, who: Who, on: boolean): Bytes {
  return text
    .split('\n')
    .map((line) => {
      if (!isMapping(line, who)) return line;
      const plain = line.trim().replace(/^!/, '');
      if (on === (entryOf(line)?.disabled === false)) return line;
      return on ? plain : `!${plain}`;
    })
    .join('\n');
}
