import { expect, it } from 'vitest';
import { compoundsIn, indexedForms, partsOf } from './words.js';

it('takes a text apart, and leaves together what is joined', () => {
  expect(compoundsIn('Jean-Luc uses (libfoo.so), ＡＮＮ!')).toEqual(['jean-luc', 'uses', 'libfoo.so', 'ann']);
  expect(partsOf('libfoo.so')).toEqual(['libfoo', 'so']);
  expect(compoundsIn('- . +')).toEqual([]);
});

it('finds a text by its words, by what they are joined of and without diacritics, each once', () => {
  expect(indexedForms('Jean-Luc Müller, jean')).toEqual(['jean-luc', 'jean', 'luc', 'müller', 'muller']);
});
