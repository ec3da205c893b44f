import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/* Every case and every rule of the library contract (§11, §1) has a test that carries its number: none goes missing with a test that is taken away or renamed. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Folders, and what their files begin with: other contracts have numbers, too. */
const PLACES = [
  ['test/http/library', ''],
  ['test/e2e', 'library'],
] as const;

/** What tests are called: `it('53, 54: …`, and the first words of the rows of a table. */
function numbersIn([folder, begin]: (typeof PLACES)[number]): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((file) => file.startsWith(begin) && file.endsWith('.spec.ts') && file !== 'numbers.spec.ts')
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, folder, file), 'utf8');
      return [...text.matchAll(/['"`]((?:(?:rule )?\d{1,3}(?:, )?)+): /g)].flatMap(([, list = '']) =>
        list.split(', '),
      );
    });
}

describe('the library contract', () => {
  const known = new Set(PLACES.flatMap(numbersIn));
  const missing = (prefix: string, last: number): string[] =>
    Array.from({ length: last }, (_, at) => `${prefix}${at + 1}`).filter((number) => !known.has(number));

  it('has a test for each of its cases', () => {
    expect(missing('', 85)).toEqual([]);
  });

  it('has a test for each of the twenty rules', () => {
    expect(missing('rule ', 20)).toEqual([]);
  });
});
