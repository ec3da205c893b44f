import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '#libs/core';
import { ACTION_FLAGS, GLOBAL_FLAGS } from './actionFlags.js';
import { withEnvironment } from './environmentFlags.js';
import { parseWords } from './parseWords.js';

const parse = (...words: readonly string[]): ReturnType<typeof parseWords> =>
  parseWords(ACTION_FLAGS, words, 'exec');
const texts = (name: string, ...words: readonly string[]): readonly string[] | undefined =>
  parse(...words).values.get(name)?.texts;

/** The rest of the words, or what was thrown. */
function attempt(words: readonly string[]): readonly string[] | Error {
  try {
    return parse(...words).rest;
  } catch (error) {
    return error instanceof DomainError && error.exitCode === 1 ? error : new Error('another failure');
  }
}

describe('flags', () => {
  it('end at the first word that is none', () => {
    const parsed = parse('-p', 'img', 'ls', '-l');
    expect(parsed.rest).toEqual(['img', 'ls', '-l']);
    expect([...parsed.values.keys()]).toEqual(['pid']);
  });

  it('end at --', () => {
    expect(parse('--pid', '--', '-x', 'y').rest).toEqual(['-x', 'y']);
  });

  it('take a lone - as a word', () => {
    expect(parse('-', 'x').rest).toEqual(['-', 'x']);
  });

  it('may be joined, the last with its value', () => {
    const { values } = parse('-Cpi', '-eB/a:/b', 'img');
    expect([...values.keys()]).toEqual(['containall', 'pid', 'ipc', 'cleanenv', 'bind']);
    expect(values.get('bind')?.texts).toEqual(['/a:/b']);
  });

  it.each([[['-B', '/a']], [['-B/a']], [['-B=/a']], [['--bind', '/a']], [['--bind=/a']]])(
    'take the value from %j',
    (words) => {
      expect(texts('bind', ...words, 'img')).toEqual(['/a']);
    },
  );

  it('that may be repeated keep all values, the others the last', () => {
    expect(texts('bind', '-B', '/a', '-B', '/b')).toEqual(['/a', '/b']);
    expect(texts('home', '-H', '/a', '--home=/b')).toEqual(['/b']);
  });

  it('are taken back with =false', () => {
    expect(parse('--pid', '--pid=false').values.get('pid')?.on).toBe(false);
  });

  it('know other spellings', () => {
    expect(texts('cwd', '--pwd', '/x')).toEqual(['/x']);
  });

  it.each([
    [['--bogus'], 'unknown flag: --bogus'],
    [['-dx'], "unknown shorthand flag: 'd' in -dx"],
    [['--bind'], 'flag needs an argument: --bind'],
    [['-pB'], "flag needs an argument: 'B' in -pB"],
    [['--pid=yes'], 'invalid argument "yes" for "--pid" flag'],
  ])('%j are a usage error', (words, message) => {
    expect(() => parse(...words)).toThrow(expect.objectContaining({ exitCode: 1 }));
    expect(() => parse(...words)).toThrow(`Error for command "exec": ${message}`);
  });

  it('ask for help with -h and --help only before the first word', () => {
    expect([parse('-h').help, parse('-p', '--help').help, parse('img', '--help').help]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('never lose a word: flags, values and the rest are all that was given', () => {
    const word = fc.constantFrom('-p', '-B', '--bind', '--pid', 'img', '--', '-e', '/a', '--home=/x', '\xff');
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const outcome = attempt(words);
        const message = outcome instanceof Error ? outcome.message : 'Error for command "exec": ';
        expect(message).toMatch(/^Error for command "exec": /);
        const rest = outcome instanceof Error ? [] : outcome;
        expect(words.slice(words.length - rest.length)).toEqual(rest);
      }),
    );
  });

  it('have names, letters and variables that mean one thing each', () => {
    for (const flags of [ACTION_FLAGS, GLOBAL_FLAGS]) {
      const names = flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]);
      const letters = flags.flatMap((flag) => (flag.short === undefined ? [] : [flag.short]));
      const keys = flags.flatMap((flag) => flag.keys ?? []);
      for (const list of [names, letters, keys]) expect(new Set(list).size).toBe(list.length);
    }
  });
});

describe('variables of the caller', () => {
  const read = (
    words: readonly string[],
    environment: Readonly<Record<string, string>>,
    name: string,
  ): unknown => {
    const values = withEnvironment(
      ACTION_FLAGS,
      parse(...words).values,
      new Map(Object.entries(environment)),
    );
    const value = values.get(name);
    return value === undefined ? undefined : value.flag.takes === 'nothing' ? value.on : value.texts;
  };

  it('set a flag that the command line does not', () => {
    expect(read([], { SINGULARITY_HOME: '/h' }, 'home')).toEqual(['/h']);
    expect(read(['-H', '/x'], { SINGULARITY_HOME: '/h' }, 'home')).toEqual(['/x']);
    expect(read(['--pid=false'], { SINGULARITY_PID: '1' }, 'pid')).toBe(false);
  });

  it('add binds behind those of the command line', () => {
    expect(read(['-B', '/b'], { SINGULARITY_BIND: '/a', SINGULARITY_BINDPATH: '/c' }, 'bind')).toEqual([
      '/b',
      '/a',
      '/c',
    ]);
  });

  it('win in the order SING, SINGULARITY, APPTAINER', () => {
    expect(read([], { APPTAINER_HOME: '/a', SINGULARITY_HOME: '/s', SING_HOME: '/o' }, 'home')).toEqual([
      '/o',
    ]);
    expect(read([], { APPTAINER_HOME: '/a', SINGULARITY_HOME: '/s' }, 'home')).toEqual(['/s']);
  });

  it('count as absent when empty', () => {
    expect(read([], { SING_HOME: '', APPTAINER_HOME: '/a', SINGULARITY_PID: '' }, 'home')).toEqual(['/a']);
  });

  it('are refused with their name when they are no truth value', () => {
    expect(() => read([], { SINGULARITY_CONTAIN: 'yes' }, 'contain')).toThrow(
      'invalid argument "yes" for "--contain" flag: expected true or false for SINGULARITY_CONTAIN',
    );
  });
});
