import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.js';
import { containerTerms, imageTerms } from './documents.store.js';
import {
  firstEnding,
  hasSigner,
  markedTerm,
  matches,
  readSearchText,
  readTerm,
  Said,
  searchTerms,
  signerTerms,
  wordsOf,
} from './searchTerms.js';

const ENTITY = 'e'.repeat(24);
const CONTAINER = 'c'.repeat(24);
const container = {
  entity: ENTITY,
  entityName: 'tester',
  collection: 'd'.repeat(24),
  collectionName: 'tools',
  name: 'solver',
  description: '',
  fullDescription: '',
  customData: '',
  private: false,
  readOnly: false,
  size: 0,
  downloadCount: 0,
  stars: 0,
  tags: 0,
  createdBy: 'tester',
  createdAt: '2026-01-01T00:00:00.000Z',
};
const image = {
  container: CONTAINER,
  hash: `sha256.${'a'.repeat(64)}`,
  description: '',
  customData: '',
  uploaded: true,
  size: 1,
  format: 'sif' as const,
  signed: true,
  encrypted: false,
  fingerprints: [],
  createdBy: 'tester',
  createdAt: '2026-01-01T00:00:00.000Z',
};

describe('search terms', () => {
  it('make a name findable by every part of it of three characters or more', () => {
    const name = fc.stringMatching(/^[a-z0-9]{3,20}$/);
    fc.assert(
      fc.property(name, fc.nat(), fc.nat(), (text, from, length) => {
        const start = from % (text.length - 2);
        const part = text.slice(start, start + 3 + (length % 20));
        expect(searchTerms(text).some((term) => term.startsWith(part))).toBe(true);
        expect(searchTerms(text)).toContain(firstEnding(text, part));
      }),
    );
  });

  it('of a container are few enough for one commit, whatever is said of it', () => {
    const fullDescription = Array.from({ length: 5000 }, (_, at) => `word${at}`).join(' ');
    const value = { ...container, name: 'x'.repeat(255), fullDescription };
    expect(containerTerms({ id: CONTAINER, value }).size).toBeLessThan(460);
  });

  it('of an image are those of its labels, and few beside all the tags that go with it', () => {
    const labels = [
      { name: 'org.label-schema.build-arch', value: 'amd64' },
      { name: 'Topic', value: 'Fluid dynamics' },
    ];
    const of = (value: Parameters<typeof imageTerms>[0]['value']) => [
      ...imageTerms({ id: '1', value }, { value: container }).values(),
    ];
    expect(of({ ...image, labels }).map(({ kind, term }) => [kind, term])).toEqual([
      ['imageText', 'fluid  signed'],
      ['imageText', 'dynamics  signed'],
      ['imageText', 'topic  signed'],
    ]);
    const signer = { ...image, arch: 'arm64', signed: false, signers: ['ab12'.repeat(10)] };
    expect(of(signer).map(({ kind, term }) => [kind, term])).toEqual([
      ['signer', `${'21ba'.repeat(10)} arm64 unsigned`],
    ]);
    expect(of({ ...image, uploaded: false, labels })).toEqual([]);
    const many = {
      ...image,
      labels: Array.from({ length: 500 }, (_, at) => ({ name: `name${at}`, value: `value${at}` })),
      signers: Array.from({ length: 500 }, (_, at) => String(at).padStart(40, '0')),
    };
    expect(of(many).length).toBeLessThanOrEqual(LIMITS.searchImageWords + LIMITS.searchSigners);
    expect(LIMITS.tagsPerCommit + of(many).length).toBeLessThan(480);
  });

  it('of an image are taken apart again, and begin with their word', () => {
    const marks = fc.record({ arch: fc.constantFrom('', '386', 'amd64', 'arm64v8'), signed: fc.boolean() });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), marks, (text, mark) => {
        for (const word of wordsOf([text, `some ${text}words`], 100)) {
          expect(readTerm(markedTerm(word, mark))).toEqual({ word, mark });
          // As it stands where an older version wrote it.
          expect(readTerm(word)).toEqual({ word, mark: undefined });
        }
      }),
    );
  });
});

describe('a search text', () => {
  it('is its words, and a hash when it can be one', () => {
    expect(readSearchText(' Tester/proj  BUSY:v1 ')).toEqual({
      keys: ['tester', 'proj', 'busy'],
      words: ['tester', 'proj', 'busy', 'v1'],
      hash: undefined,
    });
    expect(readSearchText('SHA256.ABCDEF').hash).toBe('sha256.abcdef');
    const nothing = new Said([], 10);
    expect(matches(['us', 'est'], 'tester/proj/busy', [nothing])).toBe(true);
    expect(matches(['us', 'nope'], 'tester/proj/busy', [nothing])).toBe(false);
    expect(matches(['busy', 'flu'], 'tester/proj/busy', [nothing, new Said(['Fluid'], 10)])).toBe(true);
  });
});

describe('what is said', () => {
  it('is found by the beginnings of its words, with diacritics and without', () => {
    const said = new Said(['Straßen-Netz für Müller', '# README\nsee https://example.org/hidden (v2.1)'], 50);
    for (const word of ['netz', 'straßen-netz', 'mül', 'mull', 'readme', 'v2.1'])
      expect(said.has(word)).toBe(true);
    for (const word of ['etz', 'hidden', 'example']) expect(said.has(word)).toBe(false);
  });

  it('is so many words of the first texts first, and never what clients write where nothing is said', () => {
    expect(wordsOf(['No description', 'one two', 'three fourth fifth'], 4)).toEqual([
      'one',
      'two',
      'three',
      'fourth',
    ]);
    const said = new Said(['one two', 'three fourth fifth'], 4);
    expect([said.has('fourth'), said.has('fifth')]).toEqual([true, false]);
  });

  it('of the words that begin alike one stands for all, always the same', () => {
    expect(new Said(['tools toolbox'], 9).first('tool')).toBe(
      new Said(['toolbox', 'tools'], 9).first('tool'),
    );
  });
});

describe('a signer', () => {
  const key = 'ABCD'.repeat(9) + '1234';
  it('is found by the fingerprint, the key id and the last digits', () => {
    for (const end of [key, key.slice(-16), key.slice(-8)])
      expect(hasSigner([key], end.toLowerCase())).toBe(true);
    expect(hasSigner([key], key.slice(0, 16).toLowerCase())).toBe(false);
  });

  it('of version 6 by the key id, which is the beginning', () => {
    const six = `0123456789abcdef${'f'.repeat(48)}`;
    expect(hasSigner([six], '0123456789abcdef')).toBe(true);
    expect(signerTerms([six])).toHaveLength(2);
  });
});
