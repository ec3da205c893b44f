import { describe, expect, it } from 'vitest';
import type { Party } from './collections.store.js';
import {
  mayHide,
  mayListExpiring,
  mayPutIntoKeyring,
  mayRemove,
  maySee,
  maySeeHolders,
  mayTakeFromKeyring,
} from './policy.js';

const who = (account: string, more: object = {}) => ({
  accountId: account,
  scopes: ['keystore:write'],
  administrator: false,
  organisations: {},
  ...more,
});
const [owner, contributor, stranger] = [who('owner'), who('contributor'), who('stranger')];
const admin = who('admin', { administrator: true, scopes: ['keystore:write', 'admin'] });
const formerAdmin = who('admin', { scopes: ['keystore:write', 'admin'] });
const party = (account: string): Party => ({ account, username: account, email: '', at: '' });

const held = {
  fingerprint: 'ab'.repeat(20),
  owner: party('owner'),
  contributors: [party('contributor')],
};
const served = { ...held, userIds: [{ text: 'Ann', created: 0, revoked: false }], revoked: false };
const hidden = { ...held, userIds: [], revoked: false };
const revoked = { ...held, userIds: [], revoked: true };

/** What each may do: yes, or the reason. */
const table = (decide: (actor: typeof owner) => { allowed: boolean; reason?: string; what?: string }) =>
  Object.fromEntries(
    Object.entries({ owner, contributor, stranger, admin, formerAdmin }).map(([name, actor]) => {
      const decision = decide(actor);
      return [name, decision.allowed ? (decision.what ?? 'yes') : decision.reason];
    }),
  );

describe('a certificate', () => {
  it('is seen by everybody where it is served, else by those whose it is', () => {
    expect(table((actor) => maySee(actor, served))).toEqual({
      owner: 'yes',
      contributor: 'yes',
      stranger: 'yes',
      admin: 'yes',
      formerAdmin: 'yes',
    });
    expect(maySee(undefined, revoked).allowed).toBe(true);
    expect(maySee(undefined, hidden).allowed).toBe(false);
    expect(table((actor) => maySee(actor, hidden))).toEqual({
      owner: 'yes',
      contributor: 'yes',
      stranger: 'key_not_found',
      admin: 'yes',
      formerAdmin: 'key_not_found',
    });
  });

  it('tells whose it is to those whose it is', () => {
    expect([owner, contributor, stranger, admin, undefined].map((one) => maySeeHolders(one, held))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  it('is changed in what it shows by its owner alone', () => {
    expect(table((actor) => mayHide(actor, served))).toEqual({
      owner: 'yes',
      contributor: 'not_owner',
      stranger: 'not_owner',
      admin: 'not_owner',
      formerAdmin: 'not_owner',
    });
    expect(mayHide(stranger, hidden)).toMatchObject({ code: 'not_found', reason: 'key_not_found' });
  });

  it('is removed as a whole by its owner and administrators, in part by those who brought it', () => {
    expect(table((actor) => mayRemove(actor, served))).toEqual({
      owner: 'whole',
      contributor: 'contribution',
      stranger: 'not_yours',
      admin: 'whole',
      formerAdmin: 'not_yours',
    });
    expect(mayRemove(stranger, hidden)).toMatchObject({ reason: 'key_not_found' });
  });
});

describe('a keyring', () => {
  const member = { ...owner, organisations: { physics: 'reader' as const } };

  it('takes keys of members that they have proved to have', () => {
    expect(mayPutIntoKeyring(member, 'physics', served).allowed).toBe(true);
    expect(mayPutIntoKeyring({ ...member, accountId: 'contributor' }, 'physics', served)).toMatchObject({
      reason: 'not_owner',
    });
    expect(mayPutIntoKeyring(member, 'physics', undefined)).toMatchObject({ reason: 'key_not_found' });
    // Of one's own, of others, of none, of an object: the same.
    for (const name of ['chemistry', 'nothing', 'constructor'])
      expect(mayPutIntoKeyring(member, name, undefined)).toEqual(mayPutIntoKeyring(owner, name, served));
    expect(mayPutIntoKeyring(admin, 'physics', served)).toMatchObject({ reason: 'organisation_not_found' });
  });

  it('loses them by whoever put them there, owners of the organisation and administrators', () => {
    const entry = { account: 'owner' };
    const role = (name: 'owner' | 'writer') => who('other', { organisations: { physics: name } });
    expect(mayTakeFromKeyring(owner, 'physics', entry).allowed).toBe(true);
    expect(mayTakeFromKeyring(role('owner'), 'physics', entry).allowed).toBe(true);
    expect(mayTakeFromKeyring(admin, 'physics', entry).allowed).toBe(true);
    expect(mayTakeFromKeyring(role('writer'), 'physics', entry)).toMatchObject({ reason: 'owner_needed' });
    expect(mayTakeFromKeyring(stranger, 'physics', entry)).toEqual(
      mayTakeFromKeyring(stranger, 'physics', undefined),
    );
  });
});

it('what expires of others is for administrators', () => {
  expect(mayListExpiring(stranger, false).allowed).toBe(true);
  expect(mayListExpiring(stranger, true).allowed).toBe(false);
  expect(mayListExpiring(formerAdmin, true).allowed).toBe(false);
  expect(mayListExpiring(admin, true).allowed).toBe(true);
});
