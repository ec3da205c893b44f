import { describe, expect, test } from 'vitest';
import type { Actor, OrganisationRole } from '#libs/contract';
import { PASSWORD_PROOF } from '#libs/server';
import {
  decideExchange,
  EXCHANGE_RIGHTS,
  mayAskForTokensOf,
  mayChangeOrganisation,
  mayChangePassword,
  mayChangeUser,
  mayCreateToken,
  mayListOrganisations,
  mayListTokens,
  mayManageOrganisation,
  mayRemoveMember,
  mayRevokeToken,
  maySeeOrganisation,
  maySeeRobots,
  maySeeUser,
} from './policy.js';

const actor = (changes: Partial<Actor> = {}): Actor => ({
  accountId: 'alice-id',
  kind: 'user',
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
const withPassword = (who: Actor): Actor => ({
  ...who,
  tokenId: PASSWORD_PROOF,
  originTokenId: PASSWORD_PROOF,
});
const memberAs = (role: OrganisationRole): Actor => actor({ organisations: { physics: role } });
const admin = actor({ accountId: 'admin-id', username: 'admin', administrator: true, scopes: ['admin'] });

/** Everybody who may ask. Alice is nobody in particular, or what is said of her. */
const CALLERS = {
  token: actor(),
  password: withPassword(actor()),
  'owner, token': memberAs('owner'),
  'owner, password': withPassword(memberAs('owner')),
  'writer, password': withPassword(memberAs('writer')),
  'reader, token': memberAs('reader'),
  robot: actor({
    accountId: 'robot-id',
    kind: 'robot',
    username: 'physics.ci',
    organisations: { physics: 'writer' },
  }),
  admin,
  // An administrator's token that was made for pushing is only that.
  'admin without the scope': { ...admin, scopes: ['build'] },
  // The account lost its rank after the token was made: the token's scope is nothing any more.
  'scope of one who is no admin': { ...admin, administrator: false },
} as const satisfies Record<string, Actor>;
type Caller = keyof typeof CALLERS;

const word = (decision: { allowed: boolean; reason?: string }): string =>
  decision.allowed ? 'yes' : (decision.reason ?? '');
const SELF = { id: 'alice-id', administrator: false, organisation: undefined };
const BOB = { id: 'bob-id', administrator: false, organisation: undefined };
const ROBOT = { id: 'robot-id', administrator: false, organisation: 'physics' };
const OTHER_ROBOT = { id: 'other-id', administrator: false, organisation: 'biology' };

describe('tokens', () => {
  test.each<[Caller, string, string, string, string]>([
    // who                            for oneself        for bob      for physics.ci     for biology.ci
    ['token', 'password_needed', 'not_yours', 'not_yours', 'not_yours'],
    ['password', 'yes', 'not_yours', 'not_yours', 'not_yours'],
    ['owner, token', 'password_needed', 'not_yours', 'password_needed', 'not_yours'],
    ['owner, password', 'yes', 'not_yours', 'yes', 'not_yours'],
    ['writer, password', 'yes', 'not_yours', 'not_yours', 'not_yours'],
    ['robot', 'not_yours', 'not_yours', 'password_needed', 'not_yours'],
    ['admin', 'yes', 'yes', 'yes', 'yes'],
    ['admin without the scope', 'not_yours', 'not_yours', 'not_yours', 'not_yours'],
    ['scope of one who is no admin', 'not_yours', 'not_yours', 'not_yours', 'not_yours'],
  ])('are made by %s', (caller, ...expected) => {
    const made = [SELF, BOB, ROBOT, OTHER_ROBOT].map((owner) =>
      word(mayCreateToken(CALLERS[caller], owner, ['build'])),
    );
    expect(made).toEqual(expected);
  });

  test('with the scope admin are for administrators alone', () => {
    expect(word(mayCreateToken(admin, BOB, ['admin']))).toBe('scope_not_grantable');
    expect(word(mayCreateToken(admin, ROBOT, ['build', 'admin']))).toBe('scope_not_grantable');
    expect(word(mayCreateToken(CALLERS.password, SELF, ['admin']))).toBe('scope_not_grantable');
    expect(word(mayCreateToken(admin, { ...BOB, administrator: true }, ['admin']))).toBe('yes');
  });

  test.each<[Caller, string, string, string, string]>([
    ['token', 'yes', 'not_yours', 'not_yours', 'not_yours'],
    ['owner, token', 'yes', 'not_yours', 'yes', 'not_yours'],
    ['reader, token', 'yes', 'not_yours', 'not_yours', 'not_yours'],
    ['robot', 'not_yours', 'not_yours', 'yes', 'not_yours'],
    ['admin', 'yes', 'yes', 'yes', 'yes'],
    ['scope of one who is no admin', 'not_yours', 'not_yours', 'not_yours', 'not_yours'],
  ])('are listed by %s', (caller, ...expected) => {
    const listed = [SELF, BOB, ROBOT, OTHER_ROBOT].map((owner) =>
      word(mayListTokens(CALLERS[caller], owner)),
    );
    expect(listed).toEqual(expected);
    // Before the name is looked up the same is said, from the name alone.
    const asked = ['alice', 'bob', 'physics.ci', 'biology.ci'].map((name) =>
      word(mayAskForTokensOf(CALLERS[caller], name)),
    );
    expect(asked).toEqual(expected);
  });

  test.each<[Caller, string, string, string]>([
    // who                        another own one     bob's               physics.ci's
    ['token', 'password_needed', 'token_not_found', 'token_not_found'],
    ['password', 'yes', 'token_not_found', 'token_not_found'],
    ['owner, token', 'password_needed', 'token_not_found', 'password_needed'],
    ['owner, password', 'yes', 'token_not_found', 'yes'],
    ['writer, password', 'yes', 'token_not_found', 'token_not_found'],
    ['admin', 'yes', 'yes', 'yes'],
  ])('are ended by %s', (caller, ...expected) => {
    const ended = [SELF, BOB, ROBOT].map((owner) =>
      word(mayRevokeToken(CALLERS[caller], { id: 'token-2', owner })),
    );
    expect(ended).toEqual(expected);
    expect(word(mayRevokeToken(actor(), { id: 'token-1', owner: SELF }))).toBe('yes');
  });
});

describe('accounts', () => {
  const CHANGES = [
    { displayName: 'Alice' },
    { email: 'a@example.org', displayName: 'A' },
    { disabled: true },
    { administrator: true },
  ];

  test.each<[Caller, string, readonly string[], string]>([
    // who                  bob is seen        own: name, address, disable, rank                     password of bob
    [
      'token',
      'user_not_found',
      ['password_needed', 'email_by_administrator', 'scope_missing', 'scope_missing'],
      'user_not_found',
    ],
    [
      'password',
      'user_not_found',
      ['yes', 'email_by_administrator', 'scope_missing', 'scope_missing'],
      'user_not_found',
    ],
    [
      'owner, password',
      'user_not_found',
      ['yes', 'email_by_administrator', 'scope_missing', 'scope_missing'],
      'user_not_found',
    ],
    ['admin', 'yes', ['yes', 'yes', 'yes', 'yes'], 'yes'],
  ])('are changed by %s', (caller, seen, own, password) => {
    const who = CALLERS[caller];
    expect(word(maySeeUser(who, 'bob'))).toBe(seen);
    expect(CHANGES.map((change) => word(mayChangeUser(who, 'alice', change)))).toEqual(own);
    expect(word(mayChangePassword(who, 'bob'))).toBe(password);
    // Of somebody else: not there, or all of it.
    for (const change of CHANGES) expect(word(mayChangeUser(who, 'bob', change))).toBe(seen);
  });

  test('the own password needs the old one, or the scope admin', () => {
    expect(word(mayChangePassword(CALLERS.token, 'alice'))).toBe('password_needed');
    expect(word(mayChangePassword(CALLERS.password, 'alice'))).toBe('yes');
    expect(word(mayChangePassword(admin, 'admin'))).toBe('yes');
    expect(word(mayChangePassword(CALLERS['admin without the scope'], 'admin'))).toBe('password_needed');
  });

  test('nobody takes the own rank or the own account away', () => {
    expect(word(mayChangeUser(admin, 'admin', { disabled: true }))).toBe('own_account');
    expect(word(mayChangeUser(admin, 'admin', { administrator: false }))).toBe('own_account');
    expect(word(mayChangeUser(admin, 'admin', { disabled: false, administrator: true }))).toBe('yes');
  });
});

describe('organisations', () => {
  test.each<[Caller, string, string, string, string, string]>([
    // who      sees it   sees robots   manages   renames   disables
    ['token', ...(Array(5).fill('organisation_not_found') as [string, string, string, string, string])],
    ['password', ...(Array(5).fill('organisation_not_found') as [string, string, string, string, string])],
    ['reader, token', 'yes', 'owner_needed', 'owner_needed', 'owner_needed', 'scope_missing'],
    ['writer, password', 'yes', 'owner_needed', 'owner_needed', 'owner_needed', 'scope_missing'],
    ['owner, token', 'yes', 'yes', 'password_needed', 'password_needed', 'scope_missing'],
    ['owner, password', 'yes', 'yes', 'yes', 'yes', 'scope_missing'],
    ['robot', 'yes', 'owner_needed', 'owner_needed', 'owner_needed', 'scope_missing'],
    ['admin', 'yes', 'yes', 'yes', 'yes', 'yes'],
    [
      'admin without the scope',
      ...(Array(5).fill('organisation_not_found') as [string, string, string, string, string]),
    ],
  ])('for %s', (caller, ...expected) => {
    const who = CALLERS[caller];
    const decisions = [
      maySeeOrganisation(who, 'physics'),
      maySeeRobots(who, 'physics'),
      mayManageOrganisation(who, 'physics'),
      mayChangeOrganisation(who, 'physics', { displayName: 'Physics' }),
      mayChangeOrganisation(who, 'physics', { disabled: true }),
    ];
    expect(decisions.map(word)).toEqual(expected);
  });

  test.each<[Caller, string, string]>([
    // who                     removes alice      removes bob
    ['token', 'organisation_not_found', 'organisation_not_found'],
    ['reader, token', 'password_needed', 'owner_needed'],
    ['writer, password', 'yes', 'owner_needed'],
    ['owner, token', 'password_needed', 'password_needed'],
    ['owner, password', 'yes', 'yes'],
    ['robot', 'owner_needed', 'owner_needed'],
    ['admin', 'yes', 'yes'],
  ])('members are removed by %s', (caller, self, other) => {
    const who = CALLERS[caller];
    expect(
      [mayRemoveMember(who, 'physics', 'alice'), mayRemoveMember(who, 'physics', 'bob')].map(word),
    ).toEqual([self, other]);
  });

  test('all of them are listed by administrators', () => {
    expect(word(mayListOrganisations(admin))).toBe('yes');
    expect(word(mayListOrganisations(CALLERS['owner, password']))).toBe('scope_missing');
  });

  test('a name that every object has is nobody’s organisation', () => {
    expect(word(maySeeOrganisation(actor(), 'constructor'))).toBe('organisation_not_found');
    expect(word(mayAskForTokensOf(actor(), 'constructor.ci'))).toBe('not_yours');
  });
});

test('who may not know of something is told the same as when it is not there', () => {
  const decisions = [maySeeOrganisation(actor(), 'physics'), maySeeOrganisation(actor(), 'nothing')];
  expect(decisions[0]).toEqual(decisions[1]);
  expect(maySeeUser(actor(), 'bob')).toEqual(maySeeUser(actor(), 'nobody'));
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
    expect(word(ask(changes, who))).toBe(expected);
  });

  test('is for the services of the table and nobody else', () => {
    expect(Object.keys(EXCHANGE_RIGHTS)).toEqual(['builder']);
    for (const service of ['auth', 'keystore', 'library', 'worker', 'web'] as const)
      expect(word(ask({}, actor(), service))).toBe('exchange_not_allowed');
  });
});
