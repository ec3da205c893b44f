import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDigest } from './digest.js';
import {
  isLibraryName,
  isTag,
  parseImagePath,
  parseLibraryReference,
  parseNamePath,
  parsePushReference,
  splitLibraryReference,
} from './libraryRef.js';

const digest = `sha256.${'0f'.repeat(32)}`;
const defaults = { entity: 'library', collection: 'default' };

describe('splitLibraryReference splits as stock command lines do (contract §8)', () => {
  it.each([
    ['library://alpine', undefined, 'alpine', ['latest']],
    ['library://col/alpine:3', undefined, 'col/alpine', ['3']],
    ['library://e/c/n:1,2', undefined, 'e/c/n', ['1', '2']],
    ['library://h:8080/e/c/n:1', 'h:8080', 'e/c/n', ['1']],
    ['library://h:8080/c/n', undefined, 'h', ['8080/c/n']],
    ['library:///alpine:3', undefined, '/alpine', ['3']],
    ['library:alpine', undefined, 'library', ['alpine']],
    ['e/c/n', undefined, 'e/c/n', ['latest']],
  ])('%s', (text, host, path, tags) => {
    expect(splitLibraryReference(text)).toEqual({ host, path, tags });
  });

  it('loses nothing of a reference that it was made from', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const tag = fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1, maxLength: 3 }),
        fc.array(tag, { minLength: 1, maxLength: 3 }),
        fc.option(fc.stringMatching(/^[a-z]{1,8}(:[0-9]{1,4})?$/), { nil: undefined }),
        (names, tags, host) => {
          const withHost = host !== undefined && names.length === 3;
          const text = `library://${withHost ? `${host}/` : ''}${names.join('/')}:${tags.join(',')}`;
          expect(parseLibraryReference(text)).toEqual({ host: withHost ? host : undefined, names, tags });
        },
      ),
    );
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(splitLibraryReference(text).tags.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('parseLibraryReference', () => {
  it('lowers capitals in names and keeps them in tags', () => {
    expect(parseLibraryReference('library://E/C/N:V1_Bad')).toEqual({
      host: undefined,
      names: ['e', 'c', 'n'],
      tags: ['V1_Bad'],
    });
  });

  it('takes a leading slash as no host', () => {
    expect(parseLibraryReference('library:///alpine:3').names).toEqual(['alpine']);
  });

  it('takes a hash', () => {
    expect(parseLibraryReference(`library://e/c/n:${digest}`).tags).toEqual([digest]);
  });

  it('says that a host needs four parts when a port ends up in the tag', () => {
    expect(() => parseLibraryReference('library://h:8080/c/n')).toThrow(
      /host\/entity\/collection\/container/,
    );
  });

  it.each([
    'library://',
    'library://a b',
    'library://e/c/n:',
    'library://e/c/n:1:2',
    'library://e//n',
    'a/../b',
  ])('refuses %s', (text) => {
    expect(() => parseLibraryReference(text)).toThrow(/^Expected/);
  });

  it('refuses a host that is not one', () => {
    expect(() => parseLibraryReference('library://h@x/e/c/n')).toThrow(/host/);
  });
});

describe('parsePushReference', () => {
  it('takes exactly three names', () => {
    expect(parsePushReference('library://e/c/n:1')).toEqual({
      host: undefined,
      entity: 'e',
      collection: 'c',
      container: 'n',
      tags: ['1'],
    });
  });

  it.each(['library://c/n', 'library://n', 'library://E/c/n', 'library://e/c/n__x', 'library://e/c/n-'])(
    'refuses %s',
    (text) => {
      expect(() => parsePushReference(text)).toThrow(/^Expected/);
    },
  );

  it('refuses a hash as a tag', () => {
    expect(() => parsePushReference(`library://e/c/n:${digest}`)).toThrow(/not a hash/);
  });
});

describe('parseImagePath', () => {
  it.each([
    ['alpine:latest', 'library', 'default', 'alpine', { tag: 'latest' }],
    ['/alpine:latest', 'library', 'default', 'alpine', { tag: 'latest' }],
    ['col/alpine:1', 'library', 'col', 'alpine', { tag: '1' }],
    ['tester/proj/busy', 'tester', 'proj', 'busy', { tag: 'latest' }],
    ['tester//busy:v1', 'tester', 'default', 'busy', { tag: 'v1' }],
    ['TESTER/Proj/busy:V1', 'tester', 'proj', 'busy', { tag: 'V1' }],
    [`e/c/n:${digest}`, 'e', 'c', 'n', { digest }],
  ])('reads %s', (path, entity, collection, container, by) => {
    expect(parseImagePath(path, defaults)).toEqual({ entity, collection, container, by });
  });

  it.each(['', ':1', 'a/b/c/d:1', 'a/b/c:sha256.xyz', 'a/b/..:1', 'a/b/c:1,2', 'a/b/c:x/y'])(
    'refuses %j',
    (path) => {
      expect(() => parseImagePath(path, defaults)).toThrow(/^Expected/);
    },
  );

  it('gives names and tags that keep their grammar, or a sentence', () => {
    const unit = fc.constantFrom('a', 'B', '/', ':', '.', '-', '_', '0', ' ', '%');
    fc.assert(
      fc.property(fc.string({ unit }), (path) => {
        expect(isSound(path)).toBe(true);
      }),
    );
  });
});

function isSound(path: string): boolean {
  try {
    const { entity, collection, container, by } = parseImagePath(path, defaults);
    return (
      [entity, collection, container].every(isLibraryName) &&
      ('tag' in by ? isTag(by.tag) : isDigest(by.digest))
    );
  } catch (error) {
    return String(error).includes('Expected');
  }
}

describe('parseNamePath', () => {
  it('puts the default where an old client leaves a name empty', () => {
    expect(parseNamePath('/x', ['library', 'default'])).toEqual(['library', 'x']);
    expect(parseNamePath('', ['library'])).toEqual(['library']);
  });

  it('refuses another number of names', () => {
    expect(() => parseNamePath('a/b/c', ['library', 'default'])).toThrow(/2 names/);
  });
});

describe('names and tags', () => {
  it.each(['Babsi Streusand', '-oink', '.oink', 'oink-', 'Babsi&Streusand', '', 'a..b', 'x'.repeat(256)])(
    'refuses the name %j (cases 15 and 57)',
    (name) => {
      expect(isLibraryName(name)).toBe(false);
    },
  );

  it.each(['test_hase', 'test.hase', 'bwa', 'a', 'x'.repeat(255)])('takes the name %j (case 16)', (name) => {
    expect(isLibraryName(name)).toBe(true);
  });

  it.each(['Babsi Streusand', '-oink', 'oink-', '.oink', '', digest, 'sha256.xyz', 'x'.repeat(129)])(
    'refuses the tag %j (case 57)',
    (tag) => {
      expect(isTag(tag)).toBe(false);
    },
  );

  it.each(['v1', 'V1_Bad', '1.0.0-rc.1', '_', '_x_', 'x'.repeat(128)])('takes the tag %j', (tag) => {
    expect(isTag(tag)).toBe(true);
  });
});
