import { expect, it } from 'vitest';
import { addressOf, indexedWords, searchedWords } from './words.js';

it.each([
  [
    'Jean-Luc Picard <jl.picard@enterprise.example>',
    ['jean-luc', 'jean', 'luc', 'picard', 'jl.picard', 'jl'],
  ],
  ['Müller <m@x.org>', ['müller', 'muller']],
  ['ＡＮＮ １２３', ['ann', '123']],
  ['हिन्दी', ['हिन्दी']],
  ['ann@example.org (work) <ann@other.org>', ['ann', 'work']],
  ['example.org', ['example.org', 'example', 'org']],
  [`a ${'x'.repeat(65)} bc`, ['bc']],
])('%s is found by its words, and not by its domain', (userId, words) => {
  const found = indexedWords(userId);
  expect(found).toEqual(expect.arrayContaining(words));
  expect(found.filter((word) => userId.includes(`@${word}`))).toEqual([]);
  expect(found).not.toContain('enterprise');
});

it.each([
  ['Jean-Luc', [['jean-luc'], ['jean', 'luc']]],
  ['Ann Lee', [['ann', 'lee']]],
  ['', []],
  ['a .*', []],
  ['a1 b2 c3 d4 e5 f6 g7 h8 i9', [['a1', 'b2', 'c3', 'd4', 'e5', 'f6', 'g7', 'h8']]],
])('%j is searched as %j', (term, readings) => {
  expect(searchedWords(term)).toEqual(readings);
});

it.each([
  ['Ann <Ann@x.org>', 'ann@x.org'],
  ['ann@x.org', 'ann@x.org'],
  ['Ann (a) <a@b> <x@y.org>', undefined],
  ['ann@x.org <ann@x.org>', 'ann@x.org'],
  ['Ann @ Home <ann@x.org>', 'ann@x.org'],
  ['Ann <a@b@c>', undefined],
  ['Ann', undefined],
  [`${'a'.repeat(250)}@x.org`, undefined],
])('%s has the address %s', (userId, address) => {
  expect(addressOf(userId)).toBe(address);
});
