import { describe, expect, it } from 'vitest';
import type { Retention } from '#libs/contract';
import { type Retainable, retained } from './retention.js';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const DAY = 86_400_000;

/** An image that was pushed so many days ago. */
function image(days: number, more: Partial<Retainable> = {}): Retainable {
  const createdAt = new Date(NOW - days * DAY).toISOString();
  return { arch: 'amd64', tags: [], pulledAt: null, createdAt, ...more };
}
const reasons = (images: readonly Retainable[], rules: Retention, protectedTags: string[] = []) =>
  retained(images, rules, { protectedTags, now: NOW });

describe('what is kept', () => {
  it('the last ones, of each architecture', () => {
    const arm = { arch: 'arm64' };
    const images = [image(1), image(2), image(3, arm), image(4), image(5, arm), image(6, { arch: null })];
    expect(reasons(images, { keepLast: 1 })).toEqual(['last', null, 'last', null, null, 'last']);
    expect(reasons(images, { keepLast: 2 })).toEqual(['last', 'last', 'last', null, 'last', 'last']);
  });

  it('what was pushed or pulled within some days, to the moment', () => {
    const pulled = image(400, { pulledAt: new Date(NOW - 6 * DAY).toISOString() });
    expect(reasons([image(6.99), image(7), image(400), pulled], { keepDays: 7 })).toEqual([
      'days',
      null,
      null,
      'days',
    ]);
  });

  it('what has a tag', () => {
    const images = [image(1, { tags: ['nightly', 'v1'] }), image(2, { tags: ['nightly'] }), image(3)];
    expect(reasons(images, { keepTags: ['v*'] })).toEqual(['tag', null, null]);
  });

  it('what has a protected tag, whatever the rules are', () => {
    const images = [image(1), image(2, { tags: ['1.0'] })];
    expect(reasons(images, { keepLast: 1 }, ['*.0'])).toEqual(['last', 'protected']);
  });

  it('what any of the rules keeps', () => {
    const images = [image(1), image(2), image(300, { tags: ['lts'] }), image(300)];
    const rules = { keepLast: 1, keepDays: 10, keepTags: ['lts'] };
    expect(reasons(images, rules)).toEqual(['last', 'days', 'tag', null]);
  });
});
