import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chunkLoader } from './chunks.js';

let home: string;
let folder: string;
let compiled: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'chunks-'));
  folder = join(home, 'chunks');
  compiled = join(home, 'compiled');
  await mkdir(folder);
  await mkdir(compiled);
});
afterEach(() => rm(home, { recursive: true }));

const write = (name: string, text: string) => writeFile(join(folder, name), text);

describe('chunks', () => {
  it('export what they put into exports or module.exports, and run once', async () => {
    await write('a.cjs', 'exports.made = {}; // no newline at the end');
    await write('b.cjs', 'module.exports = [require("./a.cjs").made, require("./a.cjs").made];');
    const [one, two] = chunkLoader({ folder, compiled: undefined })('./b.cjs') as object[];
    expect(one).toBe(two);
  });

  it('may need each other', async () => {
    await write('a.cjs', 'exports.early = 1; exports.b = require("./b.cjs"); exports.late = 2;');
    await write('b.cjs', 'const a = require("./a.cjs"); exports.seen = a.early; exports.a = () => a.late;');
    const a = chunkLoader({ folder, compiled: undefined })('./a.cjs') as {
      b: { seen: number; a: () => number };
    };
    expect([a.b.seen, a.b.a()]).toEqual([1, 2]);
  });

  it('get modules of Node, and others from where the bundle lies', async () => {
    await mkdir(join(home, 'node_modules/other'), { recursive: true });
    await writeFile(join(home, 'node_modules/other/index.js'), 'module.exports = "other";');
    await write(
      'a.cjs',
      'module.exports = [require("node:path").sep, require("other"), __dirname, __filename];',
    );
    expect(chunkLoader({ folder, compiled: undefined })('./a.cjs')).toEqual([
      '/',
      'other',
      folder,
      join(folder, 'a.cjs'),
    ]);
  });

  it('that are missing are an error with their path', () => {
    expect(() => chunkLoader({ folder, compiled })('./none.cjs')).toThrow(join(folder, 'none.cjs'));
  });
});

/** Loads a chunk in a process of its own: V8 asks nobody for the code of a text that it has compiled before. */
const LOAD = `
const [loader, folder, from, to] = process.argv.slice(1);
const { chunkLoader } = await import(loader);
let script;
const loaded = (_, given) => (script = given);
const { answer } = chunkLoader({ folder, compiled: from || undefined, loaded })('./a.cjs');
const told = { answer: answer(), refused: script.cachedDataRejected ?? null };
if (to) process.getBuiltinModule('node:fs').writeFileSync(to, script.createCachedData());
process.stdout.write(JSON.stringify(told));`;

describe('compiled code', () => {
  const load = (from = '', to = ''): unknown => {
    const loader = new URL('chunks.ts', import.meta.url).href;
    const words = ['--input-type=module', '--eval', LOAD, loader, folder, from, to];
    return JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }));
  };
  const change = async (edit: (code: Buffer) => Buffer): Promise<void> => {
    load('', join(compiled, 'a.cjs'));
    await writeFile(join(compiled, 'a.cjs'), edit(await readFile(join(compiled, 'a.cjs'))));
  };

  beforeEach(() => write('a.cjs', 'exports.answer = () => "from the text";'));

  it('is used', async () => {
    await change((code) => code);
    expect(load(compiled)).toEqual({ refused: false, answer: 'from the text' });
  });

  it('is not needed', () => {
    expect(load(compiled)).toEqual({ refused: null, answer: 'from the text' });
    expect(load()).toEqual({ refused: null, answer: 'from the text' });
  });

  it('of another version of V8 is not used', async () => {
    // The second word of its head.
    await change((code) => code.fill(0xa5, 4, 8));
    expect(load(compiled)).toEqual({ refused: true, answer: 'from the text' });
  });

  it('of a text of another length is not used', async () => {
    await change((code) => code);
    await write('a.cjs', 'exports.answer = () => "from another text";');
    expect(load(compiled)).toEqual({ refused: true, answer: 'from another text' });
  });

  it('that is cut off is not used', async () => {
    await change((code) => code.subarray(0, code.length / 2));
    expect(load(compiled)).toEqual({ refused: true, answer: 'from the text' });
  });

  it('is never written', async () => {
    load(compiled);
    expect(await readdir(compiled)).toEqual([]);
  });
});
