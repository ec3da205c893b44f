import { describe, expect, test } from 'vitest';
import { publishedAfter, signerAt } from './signing-schedule.js';

const DAY = 86_400_000;
const SCHEDULE = { age: 90 * DAY, wait: 600_000, lifetime: 366 * DAY };
const key = (number: number, since: number, byHand = false) => ({ number, since, byHand });
const first = key(1, 0);
const second = key(2, 90 * DAY);
const third = key(3, 180 * DAY);

describe('the key that signs', () => {
  test.each([
    ['the only one, at once', [first], 0, 1],
    ['the old one while the new one is published', [first, second], second.since + 599_999, 1],
    ['the new one when every service has seen it', [first, second], second.since + 600_000, 2],
    ['one that was put there by hand, at once', [first, key(2, 5 * DAY, true)], 5 * DAY, 2],
    ['one by hand whose time is in the future', [first, key(2, 5 * DAY, true)], 4 * DAY, 2],
    ['the oldest when the clock went back', [second, third], 0, 2],
  ])('is %s', (_, keys, now, expected) => {
    expect(signerAt(keys, now, SCHEDULE).number).toBe(expected);
  });

  test('is an error when there is none', () => {
    expect(() => signerAt([], 0, SCHEDULE)).toThrow('There is no signing key');
  });
});

describe('the next key and the last token', () => {
  const lastToken = second.since + SCHEDULE.wait + SCHEDULE.lifetime;
  test.each([
    ['nothing while the newest is young', [first], 90 * DAY - 1, undefined, []],
    ['a new one at the age', [first], 90 * DAY, 2, []],
    ['not another one right after it', [first, second], second.since + 1, undefined, []],
    ['the number after the newest, whatever is missing before', [key(7, 0)], 90 * DAY, 8, []],
    ['the old one stays as long as a token of it can be valid', [first, second], lastToken, 3, []],
    ['and goes a day later', [first, second], lastToken + DAY, 3, [1]],
    ['one by one', [first, second, third], lastToken + DAY, 4, [1]],
    ['the one that signs never goes', [first], 10_000 * DAY, 2, []],
  ])('%s', (_, keys, now, next, gone) => {
    const after = publishedAfter(keys, now, SCHEDULE);
    expect([after.next, after.gone.map(({ number }) => number)]).toEqual([next, gone]);
  });
});
