import { describe, expect, it } from 'vitest';
import type { Actor, OrganisationRole } from '#libs/contract';
import { DomainError } from '#libs/core';
import {
  type Decision,
  enforce,
  mayCreate,
  mayDelete,
  mayDownload,
  mayListTags,
  mayRead,
  maySeeUnfinished,
  mayWrite,
  type Subject,
} from './policy.js';

type Asker = Pick<Actor, 'kind' | 'username' | 'organisations' | 'administrator' | 'scopes'>;
const ALL = ['library:read', 'library:write', 'library:delete'];
const account = (username: string, scopes: readonly string[] = ALL): Asker => ({
  kind: 'user',
  username,
  scopes,
  administrator: false,
  organisations: {},
});
const member = (role: OrganisationRole): Asker => ({ ...account('member'), organisations: { acme: role } });
const admin: Asker = { ...account('root', [...ALL, 'admin']), administrator: true };

const open: Subject = { entity: 'acme', collection: 'c', container: 'n', private: false };
const closed: Subject = { ...open, private: true };

const word = (decision: Decision): string => (decision.allowed ? 'yes' : decision.as);

describe('who may do what, by role', () => {
  const askers = {
    owner: member('owner'),
    writer: member('writer'),
    reader: member('reader'),
    namesake: account('acme'),
    stranger: account('stranger'),
    // A robot owns nothing, whatever it is called.
    robot: { ...account('acme'), kind: 'robot' as const },
    admin,
    // Rank without the scope, and the scope without the rank.
    offDuty: { ...admin, scopes: ALL },
    pretender: { ...admin, administrator: false },
  };
  // read, download, list tags, create, write, delete
  it.each([
    ['owner', open, ['yes', 'yes', 'yes', 'yes', 'yes', 'yes']],
    ['owner', closed, ['yes', 'yes', 'yes', 'yes', 'yes', 'yes']],
    ['writer', closed, ['yes', 'yes', 'yes', 'yes', 'yes', 'yes']],
    ['reader', open, ['yes', 'yes', 'yes', 'forbidden', 'forbidden', 'forbidden']],
    ['reader', closed, ['yes', 'yes', 'yes', 'forbidden', 'forbidden', 'forbidden']],
    ['namesake', closed, ['yes', 'yes', 'yes', 'yes', 'yes', 'yes']],
    ['stranger', open, ['yes', 'yes', 'forbidden', 'forbidden', 'forbidden', 'forbidden']],
    ['stranger', closed, ['hidden', 'hidden', 'hidden', 'forbidden', 'hidden', 'hidden']],
    ['robot', open, ['yes', 'yes', 'forbidden', 'forbidden', 'forbidden', 'forbidden']],
    ['robot', closed, ['hidden', 'hidden', 'hidden', 'forbidden', 'hidden', 'hidden']],
    ['admin', closed, ['yes', 'yes', 'yes', 'yes', 'yes', 'yes']],
    ['offDuty', closed, ['hidden', 'hidden', 'hidden', 'forbidden', 'hidden', 'hidden']],
    ['pretender', closed, ['hidden', 'hidden', 'hidden', 'forbidden', 'hidden', 'hidden']],
  ] as const)('%s, %o', (name, subject, wanted) => {
    const asker = askers[name];
    const rules = [mayRead, mayDownload, mayListTags, mayCreate, mayWrite, mayDelete];
    expect(rules.map((rule) => word(rule(asker, subject)))).toEqual(wanted);
  });

  it('nobody in particular reads what is public and knows nothing of what is private', () => {
    expect([word(mayRead(undefined, open)), word(mayDownload(undefined, open))]).toEqual(['yes', 'yes']);
    expect([word(mayRead(undefined, closed)), word(mayDownload(undefined, closed))]).toEqual([
      'hidden',
      'hidden',
    ]);
  });

  it('an entity of a name that every object has belongs to nobody', () => {
    const subject: Subject = { entity: 'constructor', private: true };
    expect(word(mayRead(account('stranger'), subject))).toBe('hidden');
  });
});

describe('who may do what, by scope', () => {
  it.each([
    [['library:read'], 'yes', 'forbidden', 'forbidden'],
    [['library:write'], 'forbidden', 'yes', 'forbidden'],
    [['library:delete'], 'forbidden', 'forbidden', 'yes'],
    [['library:write:acme/c/n'], 'forbidden', 'yes', 'forbidden'],
    [['library:write:acme/c'], 'forbidden', 'yes', 'forbidden'],
    [['library:write:acme/c/other'], 'hidden', 'hidden', 'hidden'],
    [['library:write:acme/c/nn'], 'hidden', 'hidden', 'hidden'],
    [['keystore:write'], 'hidden', 'hidden', 'hidden'],
  ])('%o: download %s, write %s, delete %s', (scopes, download, write, remove) => {
    const asker = account('acme', scopes);
    expect([mayDownload, mayWrite, mayDelete].map((rule) => word(rule(asker, closed)))).toEqual([
      download,
      write,
      remove,
    ]);
  });

  it('a token for one container may make what is missing above it, and nothing beside it', () => {
    const asker = account('acme', ['library:write:acme/c/n']);
    const create = (subject: Omit<Subject, 'private'>) =>
      word(mayCreate(asker, { ...subject, private: false }));
    expect(create({ entity: 'acme' })).toBe('yes');
    expect(create({ entity: 'acme', collection: 'c' })).toBe('yes');
    expect(create({ entity: 'acme', collection: 'c', container: 'n' })).toBe('yes');
    expect(create({ entity: 'acme', collection: 'd' })).toBe('forbidden');
    expect(create({ entity: 'acme', collection: 'c', container: 'm' })).toBe('forbidden');
  });

  it('a read-only container takes nothing, from nobody', () => {
    expect(mayWrite(admin, { ...open, readOnly: true })).toMatchObject({
      allowed: false,
      reason: 'read_only',
    });
  });

  it('shows an unfinished image to those who could finish it', () => {
    expect(maySeeUnfinished(account('acme'), open)).toBe(true);
    expect(maySeeUnfinished(account('acme', ['library:read']), open)).toBe(false);
    expect(maySeeUnfinished(account('stranger'), open)).toBe(false);
    expect(maySeeUnfinished(undefined, open)).toBe(false);
  });
});

describe('enforce', () => {
  const missing = () => new DomainError('not_found', 'There is no such thing');

  it('answers what is hidden like what does not exist, and what is forbidden with the reason', () => {
    expect(() => enforce(mayRead(undefined, closed), missing)).toThrow('There is no such thing');
    expect(() => enforce(mayWrite(account('stranger'), open), missing)).toThrow(
      'acme/c/n belongs to somebody else',
    );
    expect(() => enforce(mayRead(undefined, open), missing)).not.toThrow('anything');
  });
});
