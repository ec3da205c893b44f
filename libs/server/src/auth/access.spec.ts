import 'reflect-metadata';
import { expect, test } from 'vitest';
import { accessOf, readAccess } from './access.js';
import { Anonymous, Audience } from './decorators.js';

test('what is remembered of a handler is told apart by its controller', () => {
  class Base {
    @Anonymous()
    open(this: void): void {}
    shut(this: void): void {}
  }
  @Audience('library')
  class Library extends Base {}
  @Audience('keystore')
  class Keystore extends Base {}
  const { open, shut } = Base.prototype;
  for (const controller of [Library, Keystore, Library, Keystore])
    for (const handler of [open, shut])
      expect(accessOf(handler, controller)).toEqual(readAccess(handler, controller));
  expect(accessOf(open, Library)).toMatchObject({ kind: 'anonymous', audience: 'library' });
  expect(accessOf(shut, Keystore)).toMatchObject({ kind: 'token', audience: 'keystore' });
});
