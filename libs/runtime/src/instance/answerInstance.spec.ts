import { describe, expect, it } from 'vitest';
import type { Answer } from '../answer.js';
import { answerCommandLine } from '../commandLine.js';
import type { FakeHost } from '../testing/fakeHost.js';
import { hostOf } from '../testing/fakeHost.js';
import { base, root } from '../testing/launches.js';
import { isInstanceName } from './name.js';
import { signalNumber } from './signals.js';

const answer = (words: readonly string[], change: Partial<FakeHost> = {}): Answer =>
  answerCommandLine(words, hostOf({ ...base, ...change }));
/** Exit status and sentences of a refusal. */
const refused = (words: readonly string[], change?: Partial<FakeHost>): readonly unknown[] => {
  const given = answer(words, change);
  return given.kind === 'print'
    ? [given.status, given.messages[0]?.text ?? given.stderr.split('\n')[0]]
    : [given.kind];
};
const request = (words: readonly string[], change?: Partial<FakeHost>): object => {
  const given = answer(['instance', ...words], change);
  return given.kind === 'instances' ? given.request : given;
};

describe('commands about instances', () => {
  it.each([
    [['start', '/img'], 1, 'Error for command "instance start": expected an image and a name'],
    [['start', 'instance://x', 'y'], 255, 'starting an instance from another is not allowed'],
    [['start', '/img', 'a/b'], 255, 'invalid instance name "a/b"'],
    [['start', '/img', ''], 255, 'invalid instance name ""'],
    [['start', '/img', '..'], 255, 'invalid instance name ".."'],
    [['start', '--boot', '/img', 'x'], 255, 'Could not configure --boot: --boot requires root privileges'],
    [['start', '--pid', '/img', 'x'], 1, 'Error for command "instance start": unknown flag: --pid'],
    [['start', '--nv', '/img', 'x'], 255, '--nv is not offered by this version'],
    [['list', '-u', 'alice'], 255, "Only root user can list user's instances"],
    [['list', 'a', 'b'], 1, 'Error for command "instance list": expected one name, got 2'],
    [['stop'], 1, 'Error for command "instance stop": expected a name or --all'],
    [['stop', '-a', 'x'], 1, 'Error for command "instance stop": expected a name or --all'],
    [['stop', '-s', 'NOPE', 'x'], 1, 'Error for command "instance stop": "NOPE" is no signal'],
    [['stop', '-t', '1.5', 'x'], 1, 'Error for command "instance stop": expected whole seconds'],
    [['stats', '*'], 1, 'Error for command "instance stats": expected the name of an instance'],
  ])('%j is refused with %i', (words, status, sentence) => {
    expect(refused(['instance', ...words])).toEqual([status, expect.stringContaining(sentence)]);
  });

  it('are Node’s business for help, and for images that are fetched', () => {
    for (const words of [[], ['--help'], ['list', '-h'], ['bogus'], ['start', 'library://a/b/c', 'x']])
      expect(answer(['instance', ...words]).kind).toBe('node');
  });

  it('look where CONFIGDIR, HOME or the account say', () => {
    const config = (environment: readonly string[]): unknown =>
      request(['list'], { environment, workingDirectory: '/w' });
    expect(config(['HOME=/h', 'SINGULARITY_CONFIGDIR=c'])).toMatchObject({ place: { config: '/w/c' } });
    expect(config(['HOME=/h'])).toMatchObject({ place: { config: '/h/.singularity' } });
    expect(config([])).toMatchObject({
      owner: 1000,
      place: { config: '/home/alice/.singularity', host: 'node1', user: 'alice' },
    });
  });

  it('never make another folder of a name', () => {
    const host = { ...base.identity, hostName: '..' };
    const accounts = base.accounts.map((account) => ({ ...account, name: 'a/b' }));
    expect(request(['list'], { identity: host, accounts })).toMatchObject({
      place: { host: 'localhost', user: '1000' },
    });
  });

  it('root asks for the instances of others', () => {
    expect(request(['stop', '-a', '-u', 'alice'], root)).toMatchObject({
      owner: 1000,
      place: { config: '/home/alice/.singularity', user: 'alice' },
    });
    expect(refused(['instance', 'list', '-u', 'nobody-here'], root)).toEqual([
      255,
      'no user is called nobody-here',
    ]);
  });

  it('stop with INT and ten seconds unless told otherwise', () => {
    expect(request(['stop', 'x'])).toMatchObject({ signal: 2, seconds: 10, glob: 'x' });
    expect(request(['stop', '-F', '-s', 'TERM', 'x'])).toMatchObject({ signal: 9 });
    expect(request(['stop', '-s15', '-t0', '-a'])).toMatchObject({ signal: 15, seconds: 0, glob: '' });
  });

  it('need a PID namespace', () => {
    const files = {
      ...base.files,
      '/opt/scs/etc/singularity/singularity.conf': { content: 'allow pid ns = no\n' },
    };
    expect(refused(['instance', 'start', '/img', 'x'], { files })).toEqual([
      255,
      expect.stringContaining('forbids ("allow pid ns = no")'),
    ]);
  });

  it('keep the server of their image to themselves', () => {
    const kinds = (words: readonly string[]): unknown => {
      const given = answer(words);
      const step = given.kind === 'launch' && given.plan.steps.find(({ kind }) => kind === 'mount_image');
      return step !== false && step?.kind === 'mount_image' && step.backends.map(({ kind }) => kind);
    };
    expect(kinds(['exec', '/img.sif', 'true'])).toContain('shared');
    expect(kinds(['instance', 'start', '/img.sif', 'x'])).not.toContain('shared');
    expect(kinds(['instance', 'start', '/img.sif', 'x'])).toContain('fuse');
  });
});

describe('joining an instance', () => {
  const instances = (change: object): Partial<FakeHost> => ({
    instances: {
      '/home/alice/.singularity/node1/alice/web': {
        image: '/img',
        home: '/root',
        mode: 'user',
        severalIds: false,
        boot: false,
        init: { pid: 9, start: 2 },
        keeper: { pid: 8, start: 1 },
        ...change,
      },
    },
  });
  const joined = (words: readonly string[], change: object = {}) => {
    const given = answer(['exec', ...words, 'instance://web', 'true'], instances(change));
    if (given.kind !== 'join') throw new Error(`Expected to join, got ${JSON.stringify(given)}`);
    return given;
  };

  it.each([
    ['user', 'none'],
    ['fakeroot', 'all'],
    ['root', 'all'],
  ])('of mode %s gives capabilities %s and never new privileges', (mode, capabilities) => {
    expect(joined([], { mode }).plan.credentials).toEqual({
      identity: null,
      capabilities,
      noNewPrivileges: true,
    });
  });

  it('takes the ids of a namespace that has several', () => {
    expect(joined([], { mode: 'fakeroot', severalIds: true }).plan.enterAs).toEqual({
      uid: 0,
      gid: 0,
      groups: [0],
    });
    expect(joined([]).plan.enterAs).toBeNull();
  });

  it('says which flags come too late', () => {
    const { messages } = joined(['-B', '/data', '--env', 'A=1', '-e']);
    expect(messages).toEqual([
      { level: 'WARNING', text: '-B changes nothing of an instance that runs already' },
    ]);
  });

  it('starts where it was asked to, else where the caller is', () => {
    expect(joined(['--cwd', '/x']).plan.run.workingDirectory).toEqual([{ path: '/x', onFailure: 'fatal' }]);
    expect(joined([]).plan.run.workingDirectory.map(({ path }) => path)).toEqual([
      '/home/alice/work',
      '/root',
      '/',
    ]);
  });

  it.each([
    ['ENOENT', 'no instance found with name web'],
    ['EINVAL', 'a sentence'],
  ])('that is not there (%s) is refused', (error, sentence) => {
    expect(
      refused(['exec', 'instance://web', 'true'], {
        instances: { '/home/alice/.singularity/node1/alice/web': { error, message: 'a sentence' } },
      }),
    ).toEqual([255, sentence]);
  });

  it.each(['', '..', '../x', 'a b', '\x00'])('of the impossible name %j is refused', (name) => {
    expect(refused(['exec', `instance://${name}`, 'true'])).toEqual([
      255,
      `no instance found with name ${name}`,
    ]);
  });

  it('keeps nobody privileged who was not', () => {
    expect(refused(['exec', '--keep-privs', 'instance://web', 'true'], instances({}))).toEqual([
      255,
      'Could not configure --keep-privs: requires root privileges',
    ]);
  });
});

it.each([
  ['a', true],
  ['A.b_c-9', true],
  ['.hidden', true],
  ['x'.repeat(128), true],
  ['x'.repeat(129), false],
  ['.', false],
  ['..', false],
  ['', false],
  ['a/b', false],
  ['a b', false],
  ['é', false],
  ['a\n', false],
])('an instance called %j: %s', (name, possible) => {
  expect(isInstanceName(name)).toBe(possible);
});

it.each([
  ['INT', 2],
  ['SIGTERM', 15],
  ['sigkill', 9],
  ['64', 64],
  ['0', null],
  ['65', null],
  ['-1', null],
  ['SIG', null],
  ['', null],
])('signal %j is number %j', (word, number) => {
  expect(signalNumber(word)).toBe(number);
});
