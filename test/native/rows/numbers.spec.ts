import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

// Which rows of the runtime contract have a test: a number without one, or without a reason, fails here.

const ROOT = resolve(import.meta.dirname, '../../..');

const numbers = (letter: string, first: number, last: number, digits: number): string[] =>
  Array.from(
    { length: last - first + 1 },
    (_, index) => letter + String(first + index).padStart(digits, '0'),
  );

/** §5.1 to §5.5, what of §5.6 needs no control list, §5.8, §5.10. */
const ROWS = [...numbers('T', 1, 179, 3), ...numbers('T', 210, 224, 3), ...numbers('S', 1, 35, 2)];

/** Rows that nothing here can fulfil, with the reason (docs/guide/differences.md). */
const NOT_APPLICABLE: Readonly<Record<string, string>> = {
  T122: 'networks other than none are refused (T121)',
  T123: 'networks other than none are refused (T121)',
  S16: 'no process of a start has more privilege than its caller',
  S17: 'no process of a start has more privilege than its caller: whoever names other files could do without them',
  S18: 'no process of a start has more privilege than its caller',
  S22: 'labels of security modules are refused (T143)',
  S23: 'the kernel’s setting dev.tty.legacy_tiocsti decides, as for every program of the user',
};

/** Rows whose tests stand beside what they are about. */
const ELSEWHERE: Readonly<Record<string, readonly [file: string, words: string]>> = {
  T088: ['apps/sing/src/overlay/overlay.spec.ts', 'T088'],
  S12: ['test/native/images.spec.ts', "sifFixtureNames('hostile')"],
  S13: ['test/native/images.spec.ts', 'a damaged or hostile squashfs'],
  S24: ['test/native/shared-server.spec.ts', 'in a folder that somebody else could have made'],
  S32: ['apps/sing/src/image/inspect.spec.ts', '\\\\x1b[31mred'],
  S33: ['libs/client/src/http.spec.ts', 'to another host carry no token'],
  S34: ['apps/sing/src/remote/remote.spec.ts', 'can be changed to a known one only'],
  S35: ['apps/sing/src/cache/cache.spec.ts', 'loses loose rights when it is used'],
  // §5.11
  'CVE-2019-19724': ['apps/sing/src/remote/remote.spec.ts', 'loses loose rights'],
  'CVE-2020-13846': ['libs/signing/src/verify.spec.ts', 'verifyImage'],
  'CVE-2020-13847': ['libs/signing/src/verify.spec.ts', 'verifyImage'],
  'CVE-2020-15229': ['test/native/images.spec.ts', 'a damaged or hostile squashfs'],
  'CVE-2021-29136': [
    'libs/oci/src/unpack.spec.ts',
    'replaces a link by a file instead of writing through it',
  ],
  'CVE-2021-41190': ['libs/oci/src/unpack.spec.ts', 'refuses a manifest that is an index as well'],
  'CVE-2022-39237': ['libs/signing/src/verify.spec.ts', 'signed-gpg-sha1.sif'],
  'CVE-2024-3727': ['libs/oci/src/unpack.spec.ts', 'refuses the digest'],
};

/** §5.11: what proves that a hole of others is not ours, where it is a row. */
const CVES: Readonly<Record<string, readonly string[]>> = {
  'CVE-2018-12021': ['S05', 'S15'],
  'CVE-2018-19295': ['S05', 'S15'],
  'CVE-2021-32635': ['S34'],
  'CVE-2022-23538': ['S33'],
  'CVE-2023-30549': ['S14'],
  'CVE-2023-38496': ['T121'],
  'CVE-2019-5736': ['S20'],
  'CVE-2019-16884': ['S01', 'S02', 'S03', 'S04', 'S05'],
  'CVE-2021-30465': ['S05'],
  'CVE-2023-27561': ['S02'],
  'CVE-2023-28642': ['S02'],
  'CVE-2022-24769': ['T124'],
  'CVE-2022-29162': ['T124'],
  'CVE-2023-25809': ['S27'],
  'CVE-2022-0492': ['S27'],
  'CVE-2024-21626': ['S19'],
  'CVE-2024-45310': ['S05'],
  'CVE-2025-31133': ['S02'],
  'CVE-2025-52565': ['S02'],
  'CVE-2019-18837': ['S02', 'T124'],
  'CVE-2022-27650': ['T124'],
};

/** Numbers in the names of tests in this folder, and of those of overlays and instances beside it. */
function tested(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const folder of [import.meta.dirname, join(import.meta.dirname, '..')])
    for (const file of readdirSync(folder)) {
      if (!file.endsWith('.spec.ts') || file === 'numbers.spec.ts') continue;
      const text = readFileSync(join(folder, file), 'utf8');
      for (const [, name = ''] of text.matchAll(/['`]([TS]\d{2,3}\b[^'`]*)/g))
        for (const [row] of name.matchAll(/\b(?:T\d{3}|S\d{2})\b/g)) found.add(row);
    }
  return found;
}

describe('rows of the runtime contract', () => {
  const done = tested();
  const known = (row: string): boolean => done.has(row) || row in ELSEWHERE || row in NOT_APPLICABLE;

  it('have a test, or a reason why not', () => {
    expect(ROWS.filter((row) => !known(row))).toEqual([]);
  });

  it('have no test while they are said to have none', () => {
    expect(Object.keys(NOT_APPLICABLE).filter((row) => done.has(row))).toEqual([]);
  });

  it.each(Object.entries(ELSEWHERE))('%s stands where it is said to', (_, [file, words]) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(words);
  });

  it('answer for the holes of others', () => {
    expect(Object.entries(CVES).filter(([, rows]) => !rows.every(known))).toEqual([]);
  });
});
