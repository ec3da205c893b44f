import { expect, it } from 'vitest';
import { methodsAt, tidyTarget } from './paths.js';

it.each([
  ['/pks/lookup?op=get&search=a//b/', '/pks/lookup?op=get&search=a//b/'],
  ['/pks/lookup/?op=get', '/pks/lookup?op=get'],
  ['//pks//lookup', '/pks/lookup'],
  ['/pks/', '/pks'],
  ['/pksx//a/', '/pksx//a/'],
  ['/v1/images//a/', '/v1/images//a/'],
  ['/library/pks//a', '/library/pks//a'],
])('%s is routed as %s', (target, tidy) => {
  expect(tidyTarget(target)).toBe(tidy);
});

it('knows which methods an address has', () => {
  const at = methodsAt([
    { method: 'GET', path: '/pks/lookup' },
    { method: 'OPTIONS', path: '/pks/lookup' },
    { method: 'GET', path: '/v1/images/*' },
    { method: 'DELETE', path: '/v1/images/*' },
    { method: 'PUT', path: '/v1/images/:id' },
    { method: 'GET', path: '/.well-known/jwks.json' },
  ]);
  expect(at('/pks/lookup?op=get')).toEqual(['GET', 'HEAD', 'OPTIONS']);
  expect(at('/v1/images/a')).toEqual(['DELETE', 'GET', 'HEAD', 'PUT']);
  expect(at('/v1/images/a/b')).toEqual(['DELETE', 'GET', 'HEAD']);
  expect(at('/xwell-known/jwks.json')).toEqual([]);
  expect(at('/pks')).toEqual([]);
});
