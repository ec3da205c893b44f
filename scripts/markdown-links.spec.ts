import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const NOT_OURS = new Set(['node_modules', 'dist', 'build', '.toolchain', '.cache']);

const files = globSync('**/*.md', {
  cwd: root,
  exclude: (path) => NOT_OURS.has(path.split('/').at(-1) ?? ''),
});

/** What a reader sees as text: code is not looked at. */
const prose = (file: string): string =>
  readFileSync(file, 'utf8')
    .replace(/^(```+)[^]*?^\1$/gm, '')
    .replace(/`[^`\n]*`/g, '');

/** The fragments that headings have on the pages of a forge. */
function anchors(file: string): string[] {
  const headings = readFileSync(file, 'utf8')
    .replace(/^(```+)[^]*?^\1$/gm, '')
    .matchAll(/^#{1,6} (.+)$/gm);
  return [...headings].map(([, text = '']) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Links of a file that lead nowhere. */
function broken(file: string): string[] {
  const path = resolve(root, file);
  const targets = [...prose(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [place = '', fragment] = target.split('#');
    const to = place === '' ? path : resolve(dirname(path), decodeURI(place));
    if (relative(root, to).startsWith('..') || !existsSync(to)) return true;
    return fragment !== undefined && !anchors(to).includes(fragment);
  });
}

test('there are Markdown files to look at', () => {
  expect(files).toContain('README.md');
});

test.each(files)('the links of %s lead somewhere', (file) => {
  expect(broken(file)).toEqual([]);
});
