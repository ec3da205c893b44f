import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/* Every case and every rule of the keystore contract (§6, §0) has a test that carries its number: none goes missing with a test that is taken away or renamed. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDERS = ['test/http/keystore', 'test/e2e', 'test/integration', 'libs/pgp/src', 'apps/keystore/src'];

/** Other contracts have numbers, too. */
const OTHERS = /(?:^|\/)(?:numbers|library[\w-]*)\.spec\.ts$/;

/** What tests are called: `it('53, 54: …`, and the first words of the rows of a table. */
function numbersIn(folder: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.spec.ts') && !OTHERS.test(file))
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, folder, file), 'utf8');
      return [...text.matchAll(/['"`]((?:(?:rule )?E?\d{1,3}(?:, )?)+): /g)].flatMap(([, list = '']) =>
        list.split(', '),
      );
    });
}

describe('the keystore contract', () => {
  const known = new Set(FOLDERS.flatMap(numbersIn));
  const missing = (prefix: string, last: number): string[] =>
    Array.from({ length: last }, (_, at) => `${prefix}${at + 1}`).filter((number) => !known.has(number));

  it('has a test for each of its cases', () => {
    expect(missing('', 111)).toEqual([]);
  });

  it('has a test for each of its cases with programs of others, as far as the server decides them', () => {
    expect(missing('E', 15)).toEqual([]);
  });

  it('has a test for each of the twenty rules', () => {
    expect(missing('rule ', 20)).toEqual([]);
  });
});
