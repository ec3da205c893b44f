import { describe, expect, it } from 'vitest';
import { DomainError } from '#libs/core';
import { handlesOf } from './handles.js';
import { parseLookup } from './lookup.request.js';
import { parseSearch } from './search.js';

const FINGERPRINT = '7605bc2716168df057d6c600aceec62c8bd91bee';

describe('a search term', () => {
  it.each([
    [`0x${FINGERPRINT.toUpperCase()}`, [{ kind: 'fingerprint', hex: FINGERPRINT }]],
    ['7605 BC27 1616 8DF0 57D6  C600 ACEE C62C 8BD9 1BEE', [{ kind: 'fingerprint', hex: FINGERPRINT }]],
    ['0xACEEC62C8BD91BEE', [{ kind: 'key_id', hex: 'aceec62c8bd91bee' }]],
    ['0x8BD91BEE', [{ kind: 'short_key_id', hex: '8bd91bee' }]],
    ['0x123456789', [{ kind: 'key_id', hex: '0000000123456789' }]],
    [
      'Deadbeef',
      [
        { kind: 'short_key_id', hex: 'deadbeef' },
        { kind: 'words', words: ['deadbeef'] },
      ],
    ],
    ['Ann <Ann@Example.org>', [{ kind: 'email', address: 'ann@example.org' }]],
    ['Ann Lee', [{ kind: 'words', words: ['ann', 'lee'] }]],
    ['a', []],
    ['=Ann <Ann@Example.org>', [{ kind: 'email', address: 'ann@example.org' }]],
  ])('%s', (term, searches) => {
    expect(parseSearch(term)).toEqual(searches);
  });

  it.each(['', '   ', '0xZZ', '0x1234', '0x', 'a\0b', '@example.org', 'x'.repeat(513)])(
    '%j is refused',
    (term) => {
      expect(() => parseSearch(term)).toThrow(DomainError);
    },
  );
});

describe('a lookup', () => {
  it('reads a raw plus in an address literally first, elsewhere as a blank first', () => {
    expect(parseLookup('op=get&search=a+b@example.org')).toMatchObject({
      searches: [{ kind: 'email', address: 'a+b@example.org' }],
    });
    expect(parseLookup('op=get&search=Ann+Lee')).toMatchObject({
      searches: [{ kind: 'words', words: ['ann', 'lee'] }, { words: ['ann+lee'] }, {}],
    });
  });

  it('takes the first value, and operators of databases as plain names', () => {
    expect(parseLookup('search=ann&search=bob&op=index')).toMatchObject({
      operation: 'index',
      searches: [{ words: ['ann'] }],
    });
    expect(() => parseLookup('op=get&search[$ne]=x')).toThrow('something to search for');
  });

  it.each([
    ['search=x', 'bad_request'],
    ['op=get', 'bad_request'],
    ['op=hget&search=x', 'not_implemented'],
    ['op=get&search=%E0%A4%A', 'bad_request'],
  ])('%s is refused', (query, code) => {
    expect(() => parseLookup(query)).toThrow(expect.objectContaining({ code }));
  });
});

describe('the handles of a certificate', () => {
  const summary = {
    version: 4 as const,
    fingerprint: FINGERPRINT,
    keyId: FINGERPRINT.slice(-16),
    algorithm: 1,
    bits: 4096,
    created: 0,
    expires: undefined,
    revoked: false,
    userIds: [{ text: 'Ann Lee <ann@example.org>', created: 0, revoked: false }],
    subkeys: [{ fingerprint: '0'.repeat(40), keyId: '0'.repeat(16), signs: true }],
  };

  it('lead to it by its keys, subkeys, addresses and words', () => {
    const handles = handlesOf(summary).map(({ handle }) => handle);
    expect(handles).toEqual(
      expect.arrayContaining([
        `fingerprint/${FINGERPRINT}`,
        'id/aceec62c8bd91bee',
        `fingerprint/${'0'.repeat(40)}`,
        'email/ann@example.org',
        'word/lee',
      ]),
    );
    expect(new Set(handles).size).toBe(handles.length);
  });

  it('put the primary key first where a subkey has the same id', () => {
    const same = handlesOf({ ...summary, subkeys: [{ ...summary, signs: true }] }).find(
      ({ handle }) => handle === 'id/aceec62c8bd91bee',
    );
    expect(same?.place).toBe(0);
  });
});
