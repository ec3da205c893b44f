/** Letters with their marks and digits, and several of them joined by what names and addresses join them with. */
const COMPOUND = /[\p{L}\p{M}\p{N}]+(?:[-._+][\p{L}\p{M}\p{N}]+)*/gu;
const JOINT = /[-._+]/;

/** The words of a text, lower-case and in its order; what names are joined by (`jean-luc`, `libfoo.so`) stays together. */
export function compoundsIn(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().match(COMPOUND) ?? [];
}

/** What a compound is joined of: `jean` and `luc`. */
export function partsOf(compound: string): string[] {
  return compound.split(JOINT);
}

/** Everything that a text is found by: its words, what they are joined of, and both without diacritics; each once, in its order. */
export function indexedForms(text: string): string[] {
  const found = compoundsIn(text).flatMap((one) => [one, ...partsOf(one)]);
  return [...new Set(found.flatMap((word) => [word, withoutMarks(word)]))];
}

const withoutMarks = (word: string): string => word.normalize('NFD').replace(/\p{M}/gu, '').normalize('NFC');
