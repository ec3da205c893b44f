import { describe, expect, test } from 'vitest';
import { hasScope, parseScope, scopeAllowsAt, scopeCovers, scopeTouches } from './scopes.js';

const holder = (...scopes: string[]) => ({ scopes, administrator: false });

describe('scopes', () => {
  test.each(['library:read', 'library:write:a', 'library:delete:a/b', 'library:create:a/b/c', 'admin'])(
    '%s is one',
    (text) => {
      expect(parseScope(text)).toBeDefined();
    },
  );

  test.each([
    '',
    'library',
    'library:read:',
    'library:read:A',
    'library:read:a/b/c/d',
    'library:read:../a',
    'library:read:a//b',
    'build:a',
    'admin:a',
    'library:readx',
    `library:read:${'a'.repeat(300)}`,
  ])('%s is none', (text) => {
    expect(parseScope(text)).toBeUndefined();
  });

  test.each([
    ['library:write', 'library:write', true],
    ['library:write', 'library:write:a/b/c', true],
    ['library:write:a', 'library:write:a/b', true],
    ['library:write:a/b', 'library:write:a/b', true],
    ['library:write:a/b', 'library:write', false],
    ['library:write:a/b', 'library:write:a', false],
    ['library:write:a/b', 'library:write:a/bc', false],
    ['library:write:a', 'library:read:a', false],
    ['library:write', 'library:delete', false],
    ['library:write', 'library:create', true],
    ['library:write:a', 'library:create:a/b', true],
    ['library:create', 'library:create:a', true],
    ['library:create', 'library:write', false],
    ['library:create:a', 'library:write:a', false],
    ['library:delete', 'library:create', false],
    ['admin', 'library:read', false],
    ['*', 'library:read', false],
  ])('%s covers %s: %s', (held, wanted, expected) => {
    expect(scopeCovers(held, wanted)).toBe(expected);
  });

  test('the scope admin counts for administrators only', () => {
    expect(hasScope({ scopes: ['admin'], administrator: true }, 'admin')).toBe(true);
    expect(hasScope({ scopes: ['admin'], administrator: false }, 'admin')).toBe(false);
  });

  test('whoever may write may also create, and not the other way round', () => {
    expect(hasScope(holder('library:write:a'), 'library:create')).toBe(true);
    expect(scopeAllowsAt(holder('library:write:a'), 'library:create', 'a/b')).toBe(true);
    expect(scopeTouches(holder('library:write:a/b'), 'library:create', 'a')).toBe(true);
    expect(hasScope(holder('library:create'), 'library:write')).toBe(false);
    expect(scopeAllowsAt(holder('library:create'), 'library:write', 'a/b')).toBe(false);
    expect(scopeTouches(holder('library:create:a/b'), 'library:write', 'a')).toBe(false);
  });

  test('a token for one container may touch what is above it and do nothing there', () => {
    const actor = holder('library:write:a/b/c');
    expect(scopeAllowsAt(actor, 'library:write', 'a/b/c')).toBe(true);
    expect(scopeAllowsAt(actor, 'library:write', 'a/b')).toBe(false);
    expect(scopeAllowsAt(actor, 'library:write', 'a/b/cd')).toBe(false);
    expect(scopeTouches(actor, 'library:write', 'a/b')).toBe(true);
    expect(scopeTouches(actor, 'library:write', 'a')).toBe(true);
    expect(scopeTouches(actor, 'library:write', 'a/x')).toBe(false);
    expect(scopeTouches(actor, 'library:delete', 'a')).toBe(false);
  });
});
