import { expect, test } from 'vitest';
import { DomainError } from '#libs/core';
import { withLoginRemedy } from './login-remedy.js';

const remedyOf = (error: unknown): string | undefined => (error as DomainError).remedy;
const expired = new DomainError('unauthorized', 'The token has expired', {
  reason: 'token_expired',
  remedy: 'Make another one',
});

test('a refused token names the remote at which to log in, not what every service says', () => {
  const better = withLoginRemedy(expired, 'Log in: sing remote login site');
  expect(better).toMatchObject({
    message: 'The token has expired',
    reason: 'token_expired',
    remedy: 'Log in: sing remote login site',
  });
});

test('what an inner call has said stays', () => {
  const inner = withLoginRemedy(expired, 'Log in to the key server: sing keyserver login k');
  expect(withLoginRemedy(inner, 'Log in: sing remote login site')).toBe(inner);
});

test('a refusal without anything gets it, too; other advice and other errors stay', () => {
  expect(remedyOf(withLoginRemedy(new DomainError('unauthorized'), 'Log in'))).toBe('Log in');
  const other = new DomainError('unauthorized', 'No', { reason: 'token_needed', remedy: 'Send a token' });
  expect(withLoginRemedy(other, 'Log in')).toBe(other);
  const forbidden = new DomainError('forbidden');
  expect(withLoginRemedy(forbidden, 'Log in')).toBe(forbidden);
});
