import { describe, expect, test } from 'vitest';
import type { Actor } from '#libs/contract';
import { PASSWORD_PROOF } from '#libs/server';
import {
  decideExchange,
  EXCHANGE_RIGHTS,
  mayCreateToken,
  mayDisable,
  mayListTokens,
  mayRevokeToken,
  maySeeUser,
} from './policy.js';

const actor = (changes: Partial<Actor> = {}): Actor => ({
  accountId: 'alice-id',
  username: 'alice',
  email: '',
  displayName: 'Alice',
  administrator: false,
  organisations: {},
  scopes: ['library:read', 'library:write', 'build'],
  tokenId: 'token-1',
  originTokenId: 'token-1',
  expiresAt: new Date(0),
  via: undefined,
  subject: undefined,
  token: '',
  ...changes,
});
const admin = actor({ accountId: 'admin-id', username: 'admin', administrator: true, scopes: ['admin'] });
const withPassword = actor({ tokenId: PASSWORD_PROOF, originTokenId: PASSWORD_PROOF });
const reasonOf = (decision: { allowed: boolean; reason?: string }) =>
  decision.allowed ? 'allowed' : decision.reason;

describe('making tokens', () => {
  const own = { id: 'alice-id', administrator: false };
  const other = { id: 'bob-id', administrator: false };

  test.each([
    ['with the password, for oneself', withPassword, own, ['build'], 'allowed'],
    ['with a token, for oneself', actor(), own, ['build'], 'password_needed'],
    ['with the password, for another', withPassword, other, ['build'], 'not_yours'],
    ['as administrator, for another', admin, other, ['build'], 'allowed'],
    [
      'the scope admin for an ordinary account, even as administrator',
      admin,
      other,
      ['admin'],
      'scope_not_grantable',
    ],
    ['the scope admin for an administrator', admin, { id: 'x', administrator: true }, ['admin'], 'allowed'],
    // The account lost its rank after the token was made: the token's scope is nothing any more.
    [
      'with the scope admin of one who is none',
      { ...admin, administrator: false },
      other,
      ['build'],
      'not_yours',
    ],
    // An administrator's token that was made for pushing is only that.
    ['as administrator without the scope', { ...admin, scopes: ['build'] }, other, ['build'], 'not_yours'],
  ] as const)('%s: %#', (_, who, account, scopes, expected) => {
    expect(reasonOf(mayCreateToken(who, account, scopes))).toBe(expected);
  });
});

describe('seeing and ending', () => {
  test.each([
    ['itself', actor(), { id: 'token-1', accountId: 'alice-id' }, 'allowed'],
    ['another of the same account', actor(), { id: 'token-2', accountId: 'alice-id' }, 'password_needed'],
    [
      'another of the same account, with the password',
      withPassword,
      { id: 'token-2', accountId: 'alice-id' },
      'allowed',
    ],
    ['one of somebody else', actor(), { id: 'token-3', accountId: 'bob-id' }, 'token_not_found'],
    [
      'one of somebody else, with the password',
      withPassword,
      { id: 'token-3', accountId: 'bob-id' },
      'token_not_found',
    ],
    ['one of somebody else, as administrator', admin, { id: 'token-3', accountId: 'bob-id' }, 'allowed'],
  ] as const)('a token ends %s', (_, who, token, expected) => {
    expect(reasonOf(mayRevokeToken(who, token))).toBe(expected);
  });

  test('lists and accounts are for their owner and for administrators', () => {
    expect(mayListTokens(actor(), 'alice').allowed).toBe(true);
    expect(mayListTokens(actor(), 'bob').allowed).toBe(false);
    expect(mayListTokens(admin, 'bob').allowed).toBe(true);
    expect(maySeeUser(actor(), 'alice').allowed).toBe(true);
    expect(reasonOf(maySeeUser(actor(), 'bob'))).toBe('user_not_found');
  });

  test('nobody locks the own account', () => {
    expect(reasonOf(mayDisable(admin, 'admin-id'))).toBe('own_account');
    expect(reasonOf(mayDisable(admin, 'bob-id'))).toBe('allowed');
    expect(reasonOf(mayDisable(actor(), 'bob-id'))).toBe('scope_missing');
  });
});

describe('exchanging', () => {
  const request = { audience: 'library', scope: ['library:write'], container: 'alice/demo/hello' } as const;
  const ask = (
    changes: object = {},
    who = actor(),
    service: Parameters<typeof decideExchange>[0] = 'builder',
  ) => decideExchange(service, who, { ...request, scope: [...request.scope], ...changes });

  test('narrows writing to the container of the job', () => {
    expect(ask()).toEqual({ allowed: true, scopes: ['library:write:alice/demo/hello'] });
    expect(ask({ scope: ['library:write:alice/demo', 'library:read'] })).toEqual({
      allowed: true,
      scopes: ['library:write:alice/demo/hello', 'library:read'],
    });
  });

  test.each([
    ['a scope the token lacks', {}, actor({ scopes: ['library:read'] }), 'scope_missing'],
    [
      'a wider place',
      { scope: ['library:read'] },
      actor({ scopes: ['library:read:alice'] }),
      'scope_missing',
    ],
    ['another place', { scope: ['library:write:alice/demo/hell'] }, actor(), 'wrong_subject'],
    ['a neighbour of the place', {}, actor({ scopes: ['library:write:alice/demo/hell'] }), 'scope_missing'],
    ['a scope outside the table', { scope: ['library:delete'] }, actor(), 'exchange_not_allowed'],
    ['one good scope and one bad', { scope: ['library:write', 'admin'] }, admin, 'exchange_not_allowed'],
    ['an exchanged token', {}, actor({ originTokenId: 'token-0' }), 'already_exchanged'],
    ['a token that a service presented', {}, actor({ via: 'builder' }), 'already_exchanged'],
  ])('refuses %s', (_, changes, who, expected) => {
    expect(reasonOf(ask(changes, who))).toBe(expected);
  });

  test('is for the services of the table and nobody else', () => {
    expect(Object.keys(EXCHANGE_RIGHTS)).toEqual(['builder']);
    for (const service of ['auth', 'keystore', 'library', 'worker', 'web'] as const)
      expect(reasonOf(ask({}, actor(), service))).toBe('exchange_not_allowed');
  });
});
