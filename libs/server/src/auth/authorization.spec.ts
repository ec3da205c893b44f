import { expect, test } from 'vitest';
import { parseAuthorization } from './authorization.js';

test.each([
  ['Bearer abc', 'abc'],
  ['BEARER abc', 'abc'],
  ['bearer   abc ', 'abc'],
  ['Bearer\tabc', 'abc'],
  ['Bearer a b', 'a b'],
  ['Bearer a\u00a0b', 'a\u00a0b'],
])('%j presents a token', (header, token) => {
  expect(parseAuthorization(header)).toEqual({ kind: 'bearer', token });
});

test.each([undefined, '', 'Bearer', 'Bearer ', 'BEARER  ', 'abc', 'Digest abc', ' Bearer abc'])(
  '%j presents nothing',
  (header) => {
    expect(parseAuthorization(header)).toEqual({ kind: 'nothing' });
  },
);

test('a password may hold colons, and any letters', () => {
  const header = `basic ${Buffer.from('alice:pass:wörd').toString('base64')}`;
  expect(parseAuthorization(header)).toEqual({ kind: 'password', username: 'alice', password: 'pass:wörd' });
});

test.each(['alice', '', 'anybody'])('a token as the password of %j presents the token', (username) => {
  const token = `${'a'.repeat(100)}.${'b'.repeat(3900)}.${'c-_9'.repeat(20)}`;
  const header = `Basic ${Buffer.from(`${username}:${token}`).toString('base64')}`;
  expect(parseAuthorization(header)).toEqual({ kind: 'bearer', token });
});

test('a short password with dots is a password', () => {
  const header = `Basic ${Buffer.from('alice:a.b.c').toString('base64')}`;
  expect(parseAuthorization(header)).toEqual({ kind: 'password', username: 'alice', password: 'a.b.c' });
});

test.each(['Basic YWxp Y2U6eA==', 'Basic YWxpY2U=', 'Basic OnBhc3M=', `Basic ${'A'.repeat(6000)}`])(
  '%j presents nothing',
  (header) => {
    expect(parseAuthorization(header)).toEqual({ kind: 'nothing' });
  },
);
