import { describe, expect, it } from 'vitest';
import { answerCommandLine } from './commandLine.js';
import type { Answer } from './answer.js';
import { baseHost, hostOf } from './testing/fakeHost.js';
import type { FakeHost } from './testing/fakeHost.js';

const answer = (words: readonly string[], change: Partial<FakeHost> = {}): Answer =>
  answerCommandLine(words, hostOf({ ...baseHost(), ...change }));
const level = (...words: readonly string[]): number | undefined => {
  const given = answer([...words, 'exec', '/img', 'true']);
  return given.kind === 'launch' ? given.plan.messages.level : undefined;
};

describe('command line', () => {
  it.each([
    [['exec', 'library://a/b/c', 'x']],
    [['exec', 'docker://busybox', 'x']],
    [['exec', 'oci:dir:tag', 'x']],
    [['exec', '--help']],
    [['-h']],
    [['help', 'exec']],
    [['pull', 'x']],
    [['-d', 'sign', 'x']],
    [[]],
  ])('%j is for Node', (words) => {
    expect(answer(words).kind).toBe('node');
  });

  it.each([
    [['exec'], 1, 'Error for command "exec": expected an image'],
    [['exec', '/img'], 1, 'Error for command "exec": expected a command behind the image'],
    [['exec', '-d', '/img', 'true'], 1, `Error for command "exec": unknown shorthand flag: 'd' in -d`],
    [['--bogus'], 1, 'Error for command "sing": unknown flag: --bogus'],
    [['exec', '-s', '/bin/sh', '/img', 'x'], 1, `unknown shorthand flag: 's' in -s`],
  ])('%j is a usage error', (words, status, message) => {
    const given = answer(words);
    expect(given).toMatchObject({ kind: 'print', status, messages: [] });
    expect(given.kind === 'print' && given.stderr).toContain(message);
  });

  it.each([
    [['exec', 'bogus://x', 'true'], 'unsupported transport type: bogus'],
    [['exec', 'instance://x', 'true'], 'no instance found with name x'],
    [['exec', '/nope', 'true'], 'could not open image /nope: No such file or directory'],
    [['-c', '/nope', 'exec', '/img', 'true'], 'could not read the configuration file /nope'],
  ])('%j ends with 255 and one sentence', (words, message) => {
    const given = answer(words);
    expect(given).toMatchObject({ kind: 'print', status: 255, stderr: '', stdout: '' });
    expect(given.kind === 'print' && given.messages[0]).toMatchObject({
      level: 'FATAL',
      text: expect.stringContaining(message) as string,
    });
  });

  it('has levels', () => {
    expect([level(), level('-q'), level('-s'), level('-v'), level('-d')]).toEqual([1, -1, -3, 4, 5]);
  });

  it('reads the level from the environment', () => {
    const given = answer(['exec', '/img', 'true'], { environment: ['SINGULARITY_DEBUG=1'] });
    expect(given.kind === 'launch' && given.plan.messages.level).toBe(5);
  });

  it('has colours on a terminal only, unless refused', () => {
    const colour = (words: readonly string[], change: Partial<FakeHost>): unknown => {
      const given = answer([...words, 'exec', '/img', 'true'], change);
      return given.kind === 'launch' && given.plan.messages.colour;
    };
    expect(colour([], { terminals: [2] })).toBe(true);
    expect(colour([], { terminals: [0, 1] })).toBe(false);
    expect(colour(['--nocolor'], { terminals: [2] })).toBe(false);
  });

  it('prints the version by itself', () => {
    expect(answer(['version'])).toMatchObject({ kind: 'print', stdout: '0.1.0\n', status: 0 });
    expect(answer(['--version'])).toMatchObject({ kind: 'print', stdout: 'sing version 0.1.0\n', status: 0 });
  });

  it('takes a file that is named like a transport', () => {
    expect(answer(['exec', 'http:x', 'true'])).toMatchObject({ kind: 'print', status: 255 });
  });
});
