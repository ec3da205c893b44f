import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '#libs/cli';
import { sing } from '../../apps/sing/src/program.js';
import { helpLines } from '../../libs/cli/src/help-index.js';
import { PROGRAM } from '../support/containers.js';
import { temporaryFolder } from '../support/temporary.js';

const CLI = resolve(import.meta.dirname, '../../dist/cli');
const ENVIRONMENT = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', TERM: 'dumb' };
/** What the program says that has no Node to become. */
const NO_NODE = 'Expected Node at';

interface Printed {
  readonly status: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function ended(file: string, words: readonly string[]): Promise<Printed> {
  return new Promise((settle) => {
    execFile(file, words, { cwd: '/', env: ENVIRONMENT }, (error, stdout, stderr) =>
      settle({ status: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

// An installation without Node: what it answers, it answers by itself.
let root = '';
let remove = async (): Promise<void> => undefined;
beforeAll(async () => {
  if (!existsSync(join(CLI, 'sing.help'))) throw new Error('Expected dist/cli: run npm run build:cli');
  ({ path: root, remove } = await temporaryFolder());
  mkdirSync(join(root, 'addon/build'), { recursive: true });
  mkdirSync(join(root, 'dist/cli'), { recursive: true });
  for (const name of ['sing', 'sh']) copyFileSync(join(PROGRAM, '..', name), join(root, 'addon/build', name));
});
beforeEach(() => {
  for (const name of ['sing.cjs', 'sing.help']) copyFileSync(join(CLI, name), join(root, 'dist/cli', name));
});
afterAll(() => remove());

const native = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Printed => {
  const { status, stdout, stderr } = spawnSync(join(root, 'addon/build/sing'), words, {
    cwd: '/',
    encoding: 'utf8',
    env: { ...ENVIRONMENT, ...env },
  });
  return { status, stdout, stderr };
};

describe('help', () => {
  const lines = [...helpLines(sing)];
  it.each(lines.map((words) => [words.join(' '), words] as const))(
    'sing %s: the native program prints what the command line prints, without Node',
    async (_, words) => {
      const { status, stdout, stderr } = await run(sing, words);
      expect(native(words)).toEqual({ status, stdout, stderr });
      expect(stdout + stderr).toContain('Usage:\n  sing');
    },
  );

  // A process costs a while, so each text once.
  it.each(lines.filter((words) => !words.some((word) => word.startsWith('-'))))(
    'sing %s %s %s: as the process of Node prints it',
    async (...words) => {
      const byNode = await ended(process.execPath, [join(CLI, 'sing.cjs'), ...words]);
      expect(native(words)).toEqual(byNode);
    },
  );
});

describe('help that cannot be written', () => {
  it.each(['--help', 'key'])('sing %s: is a sentence and a failure, in both ways', (word) => {
    const to = word === 'key' ? '2>/dev/full' : '>/dev/full';
    const shell = (program: string): Printed => {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', `${program} ${word} ${to}`], {
        encoding: 'utf8',
        env: ENVIRONMENT,
      });
      return { status, stdout, stderr: stderr.toLowerCase() };
    };
    const byNative = shell(join(root, 'addon/build/sing'));
    expect(byNative).toEqual(shell(`${process.execPath} ${join(CLI, 'sing.cjs')}`));
    expect(byNative).toMatchObject({
      status: 255,
      stderr: word === 'key' ? '' : 'fatal:   cannot write the output: no space left on device\n',
    });
  });
});

describe('what is not to be answered from the texts goes to Node', () => {
  it.each([
    [['help', 'exec run']],
    [['help', 'nonsense']],
    [['help exec']],
    [['']],
    [['key', '']],
    [['keys ', '--help']],
    [['-q', '--help']],
    [['nonsense', '--help']],
    [['line', '--help']],
    [['pull', 'x', '--help']],
  ])('%j', (words) => {
    expect(native(words).stderr).toContain(NO_NODE);
  });

  it.each(['SING_DEBUG', 'SINGULARITY_DEBUG', 'APPTAINER_CONFIG_FILE'])(
    'with %s, which may be wrong or change the answer',
    (name) => {
      expect(native(['--help'], { [name]: 'perhaps' }).stderr).toContain(NO_NODE);
      expect(native(['--help'], { [`${name}_`]: 'perhaps', [name.slice(1)]: 'x' }).stderr).toBe('');
    },
  );
});

describe('texts that are not of the same build are not printed', () => {
  const texts = join(CLI, 'sing.help');
  const change = (from: string | RegExp, to: string): void => {
    const before = readFileSync(texts, 'utf8');
    const after = before.replace(from, to);
    expect(after).not.toBe(before);
    writeFileSync(join(root, 'dist/cli/sing.help'), after);
  };

  it('another entry, or none', () => {
    const entry = join(root, 'dist/cli/sing.cjs');
    writeFileSync(entry, `${readFileSync(entry, 'utf8')} `);
    expect(native(['--help']).stderr).toContain(NO_NODE);
    writeFileSync(entry, '');
    expect(native(['--help']).stderr).toContain(NO_NODE);
  });

  it('another version', () => {
    change(`help sing ${sing.version}\n`, 'help sing 0.0.9\n');
    expect(native(['--help']).stderr).toContain(NO_NODE);
  });

  it.each<[string, string | RegExp, string]>([
    ['an offset behind the end', /^(line 0 stdout) \d+ (\d+ --help)$/m, '$1 99999999 $2'],
    ['more bytes than there are', /^(line 0 stdout \d+) \d+ --help$/m, '$1 99999999 --help'],
    ['a number that is none', /^(line 0 stdout) \d+ (\d+ --help)$/m, '$1 -1 $2'],
    ['a number that is too large', /^(line 0 stdout) \d+ (\d+ --help)$/m, '$1 99999999999999999999 $2'],
    ['a status that is none', /^line 0 (stdout \d+ \d+ --help)$/m, 'line 256 $1'],
    ['an unknown kind of line', /^line (1 stderr)/m, 'lime $1'],
    ['no texts', /\n\n[^]*$/, '\n'],
    ['a length of the entry behind the end', /^entry \d+/, 'entry 99999999'],
  ])('damaged ones: %s', (_, from, to) => {
    change(from, to);
    expect(native(['--help'])).toMatchObject({ status: 255, stderr: expect.stringContaining(NO_NODE) });
  });

  it('none', () => {
    writeFileSync(join(root, 'dist/cli/sing.help'), '');
    expect(native(['--help']).stderr).toContain(NO_NODE);
  });
});
