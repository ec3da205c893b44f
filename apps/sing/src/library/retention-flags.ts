import type { Flags } from '#libs/cli';
import type { Retention } from '#libs/contract';

/** Which images are kept. */
export const retentionFlags = {
  'keep-last': { type: 'integer', value: 'N', minimum: 1, summary: 'keep the newest N of each architecture' },
  'keep-days': {
    type: 'integer',
    value: 'N',
    minimum: 1,
    summary: 'keep what was pushed or pulled within N days',
  },
  'keep-tag': { type: 'list', value: 'PATTERN', summary: 'keep what has a tag like this, for example v*' },
} as const satisfies Flags;

/** When rules that are set are applied. */
export const applyFlags = {
  'apply-daily': { type: 'boolean', summary: 'the library applies the rules by itself once a day' },
  'apply-asked': { type: 'boolean', summary: 'only sing library retain --apply does' },
} as const satisfies Flags;

/** The rules that were given; undefined for none. */
export function rulesIn(flags: {
  readonly 'keep-last': number | undefined;
  readonly 'keep-days': number | undefined;
  readonly 'keep-tag': readonly string[];
}): Retention | undefined {
  const { 'keep-last': keepLast, 'keep-days': keepDays, 'keep-tag': keepTags } = flags;
  if (keepLast === undefined && keepDays === undefined && keepTags.length === 0) return undefined;
  return {
    ...(keepLast === undefined ? {} : { keepLast }),
    ...(keepDays === undefined ? {} : { keepDays }),
    ...(keepTags.length === 0 ? {} : { keepTags: [...keepTags] }),
  };
}
