import { expect, it } from 'vitest';
import { Challenges } from './challenges.js';

const NOW = new Date('2026-11-26T10:00:00Z');
const UNTIL = new Date('2026-11-26T10:10:00Z');
const challenges = new Challenges(Buffer.alloc(32, 1));
const asked = {
  keystore: 'https://keys.example.org',
  account: '0123456789abcdef01234567',
  username: 'ann',
  fingerprint: 'ab'.repeat(20),
};
const text = challenges.write(asked, UNTIL);

it('is a text that says what it is for', () => {
  expect(text.split('\n').slice(3, 7)).toEqual([
    'keystore: https://keys.example.org',
    'account: ann 0123456789abcdef01234567',
    `key: ${'AB'.repeat(20)}`,
    'until: 2026-11-26T10:10:00.000Z',
  ]);
  // Clear-signing drops blanks at the ends of lines, and some programs escape dashes at their beginning.
  expect(text).not.toMatch(/[ \t]$|^-/m);
  challenges.check(text, asked, NOW);
});

it.each([
  ['another keystore', { ...asked, keystore: 'https://other.example.org' }],
  ['another account', { ...asked, account: 'f'.repeat(24) }],
  ['another user name', { ...asked, username: 'bob' }],
  ['another key', { ...asked, fingerprint: 'cd'.repeat(20) }],
])('is not good for %s', (_, other) => {
  expect(() => challenges.check(text, other, NOW)).toThrow(
    expect.objectContaining({ code: 'forbidden', reason: 'challenge_invalid' }),
  );
});

it('is not good when another server made it, or it was changed', () => {
  const foreign = new Challenges(Buffer.alloc(32, 2)).write(asked, UNTIL);
  for (const one of [foreign, `${text}\n`, text.replace('10:10', '11:10'), '', 'until: x'])
    expect(() => challenges.check(one, asked, NOW)).toThrow(
      expect.objectContaining({ reason: 'challenge_invalid' }),
    );
});

it('is not good after its end', () => {
  expect(() => challenges.check(text, asked, UNTIL)).toThrow(
    expect.objectContaining({ code: 'forbidden', reason: 'challenge_expired' }),
  );
});
