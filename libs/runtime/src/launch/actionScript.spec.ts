import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentMap } from '../options/environmentFlags.js';
import { plainOptions } from '../options/launchOptions.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { baseHost, hostOf } from '../testing/fakeHost.js';
import { collectFacts } from '../collectFacts.js';
import type { Payload } from '../plan.js';
import { planLaunch } from './planLaunch.js';

// The script runs for real, with every shell that is here; the image is a temporary directory, put in place of /.singularity.d.
const SHELLS = [['/bin/sh'], ['/bin/bash'], ['/bin/busybox', 'sh']].filter(([path = '']) => existsSync(path));

let image = '';
beforeEach(() => {
  image = mkdtempSync(join(tmpdir(), 'sing-script-'));
  mkdirSync(join(image, 'env'));
});
afterEach(() => rmSync(image, { recursive: true }));

interface Run {
  readonly options?: Partial<LaunchOptions>;
  readonly host?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function payloadOf(words: readonly string[], { options = {}, host = [] }: Run): Payload {
  const wanted = { ...plainOptions('/img', words), ...options };
  const asked = hostOf({ ...baseHost(), environment: host });
  const facts = collectFacts(asked, wanted, environmentMap(asked.environment()));
  const { run } = planLaunch(wanted, facts).plan;
  if (run.kind !== 'become') throw new Error('expected a payload');
  return run.payload;
}

function start(
  shell: readonly string[],
  words: readonly string[],
  run: Run = {},
): { status: number | null; stdout: string; stderr: string } {
  for (const [name, text] of Object.entries(run.env ?? {})) writeFileSync(join(image, 'env', name), text);
  const { script } = payloadOf(words, run);
  if (script === null) throw new Error('expected a script');
  const [program = '', ...before] = shell;
  // As a file, because Node would write the script's bytes as UTF-8 into an argument.
  writeFileSync(join(image, 'script'), script.text.split('/.singularity.d').join(image), 'latin1');
  return spawnSync(program, [...before, join(image, 'script'), ...script.args], {
    env: Object.fromEntries(
      script.env.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
    ),
    encoding: 'latin1',
  });
}

describe.each(SHELLS)('action script in %s', (...shell) => {
  const variable = (name: string, run: Run): string =>
    start(shell, ['sh', '-c', `printf %s "\${${name}-unset}"`], run).stdout;

  it('hands every argument on as it is', () => {
    const words = ['printf', '<%s>', '-x', '', 'a b', '*', `it's`, '$HOME', '\\n', 'two\nlines'];
    expect(start(shell, words)).toMatchObject({
      status: 0,
      stdout: `<-x><><a b><*><it's><$HOME><\\n><two\nlines>`,
      stderr: '',
    });
  });

  it('ends with the status of the command', () => {
    expect(start(shell, ['sh', '-c', 'exit 200']).status).toBe(200);
  });

  it.each([
    [['nope'], 'FATAL:   "nope": executable file not found in $PATH\n'],
    [['/nope'], 'FATAL:   stat /nope: no such file or directory\n'],
    [['/proc/self/status'], 'FATAL:   "/proc/self/status": permission denied\n'],
    [['/tmp'], 'FATAL:   "/tmp": permission denied\n'],
    [['cd'], 'FATAL:   "cd": executable file not found in $PATH\n'],
  ])('%j ends with 255 and its sentence', (words, stderr) => {
    expect(start(shell, words)).toMatchObject({ status: 255, stdout: '', stderr });
  });

  it('runs a file without interpreter line through the shell', () => {
    const file = join(image, 'plain');
    writeFileSync(file, 'echo ran "$1"\n');
    chmodSync(file, 0o755);
    expect(start(shell, [file, 'x'])).toMatchObject({ status: 0, stdout: 'ran x\n' });
  });

  it('sources the scripts of the image in order of their names', () => {
    const env = {
      '10-b.sh': 'X=${X}b; export X',
      '01-a.sh': 'X=a',
      '99-base.sh': 'X=${X}c',
      'x.txt': 'X=no',
    };
    expect(variable('X', { env })).toBe('abc');
  });

  it.each([
    ['the host gives what the image does not set', ['A=h'], '', [], 'h'],
    ['the image wins over the host', ['A=h'], 'export A=i', [], 'i'],
    ['what the image sets to nothing is unset', ['A=h'], 'export A=', [], 'unset'],
    ['SINGULARITYENV_ wins over the image', ['SINGULARITYENV_A=s'], 'export A=i', [], 's'],
    ['APPTAINERENV_ wins over SINGULARITYENV_', ['SINGULARITYENV_A=s', 'APPTAINERENV_A=p'], '', [], 'p'],
    ['--env wins over all', ['SINGULARITYENV_A=s', 'A=h'], 'export A=i', [{ name: 'A', value: 'e' }], 'e'],
    ['injected values are evaluated', [], 'B=1', [{ name: 'A', value: '$B-$(echo hi)' }], '1-hi'],
    ['a value of the host is not evaluated', [`A=$HOME \`x\` 'q' "d"`], '', [], `$HOME \`x\` 'q' "d"`],
    ['values keep their newlines', ['A=1\n2'], '', [{ name: 'B', value: 'x' }], '1\n2'],
    ['an injected nothing is nothing, whatever the host says', ['A=h', 'SINGULARITYENV_A='], '', [], ''],
    ['a backslash at the end of an injected value stays', [], '', [{ name: 'A', value: 'C:\\' }], 'C:\\'],
    ['a quote behind a backslash is a quote', [], '', [{ name: 'A', value: 'a\\"b"c' }], 'a"b"c'],
    ['the host is not seen by the scripts', ['B=h'], 'A=${B-clean}; export A', [], 'clean'],
    ['bytes survive', ['A=\xff\xfe'], '', [], '\xff\xfe'],
  ])('%s', (_, host, text, variables, expected) => {
    expect(variable('A', { host, env: { '90-environment.sh': text }, options: { variables } })).toBe(
      expected,
    );
  });

  it.each(['a $( b', 'a ` b'])(
    'the value %s, which no shell can read, ends with 255 and its name',
    (value) => {
      const options = { variables: [{ name: 'A', value }] };
      const result = start(shell, ['env'], { options });
      expect(result).toMatchObject({ status: 255, stdout: '' });
      expect(result.stderr).toContain(
        'FATAL:   could not evaluate the value of A (--no-eval takes it as it is)',
      );
    },
  );

  it('a program whose interpreter is missing ends with 255 and a sentence', () => {
    const file = join(image, 'program');
    writeFileSync(file, '#!/nope/sh\n', { mode: 0o755 });
    const result = start(shell, [file, 'x']);
    expect(result).toMatchObject({ status: 255, stdout: '' });
    expect(result.stderr).toMatch(new RegExp(`^FATAL: {3}exec ${file}: .*interpreter or loader`, 'm'));
  });

  it.each([126, 127])('the status %s of a command is its own', (status) => {
    expect(start(shell, ['sh', '-c', `exit ${status}`])).toMatchObject({ status, stderr: '' });
  });

  it('takes injected values literally with --no-eval', () => {
    const variables = [{ name: 'A', value: '$(echo hi)' }];
    expect(variable('A', { options: { variables, evaluate: false } })).toBe('$(echo hi)');
  });

  it('injects between 99-base.sh and 99-runtimevars.sh', () => {
    const env = { '99-base.sh': 'A=base', '99-runtimevars.sh': 'A=$A-late; export A' };
    expect(variable('A', { env, options: { variables: [{ name: 'A', value: 'mine' }] } })).toBe('mine-late');
  });

  it.each([
    ['PREPEND_PATH', '/p:/usr/bin:/bin'],
    ['APPEND_PATH', '/usr/bin:/bin:/p'],
  ])('%s changes the PATH of the image', (name, expected) => {
    const env = { '90-environment.sh': 'export PATH=/usr/bin:/bin' };
    expect(variable('PATH', { env, options: { variables: [{ name, value: '/p' }] } })).toBe(expected);
  });

  it('PATH may be replaced', () => {
    const variables = [{ name: 'PATH', value: '/bin:/only' }];
    expect(variable('PATH', { options: { variables } })).toBe('/bin:/only');
  });

  it('an OCI environment gets the default directories that its PATH lacks', () => {
    const env = { '10-docker2singularity.sh': 'export PATH=/opt/x:/usr/bin' };
    expect(variable('PATH', { env })).toBe(
      '/opt/x:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin',
    );
  });

  it('searches the libraries of the runtime last, once', () => {
    const value = '/l:/.singularity.d/libs'.split('/.singularity.d').join(image);
    const env = { '99-base.sh': 'LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/.singularity.d/libs' };
    const options = { variables: [{ name: 'LD_LIBRARY_PATH', value: '/l' }] };
    expect(variable('LD_LIBRARY_PATH', { env, options })).toBe(value);
  });

  it.each(['set -eu', 'set -- a b c', 'IFS=/', 'set -f', 'set -a', 'PATH=/usr/bin:/bin'])(
    'still starts the payload with its arguments after %s in a script of the image',
    (text) => {
      const result = start(shell, ['printf', '%s,', 'x', 'y'], {
        env: { '90-environment.sh': `${text}\n` },
        host: ['A=1'],
      });
      expect(result).toMatchObject({ status: 0, stdout: 'x,y,' });
    },
  );

  it('leaves no name of its own behind, also after set -a', () => {
    const env = { '01-a.sh': 'set -a' };
    expect(start(shell, ['env'], { env, host: ['A=1'] }).stdout).not.toContain('__sing');
  });

  it('works with an environment larger than one argument', () => {
    const host = Array.from({ length: 40 }, (_, index) => `V${index}=${'x'.repeat(8000)}`);
    expect(variable('V39', { host })).toHaveLength(8000);
    const { script } = payloadOf(['true'], { host });
    const longest = Math.max(...[script?.text ?? '', ...(script?.args ?? [])].map((one) => one.length));
    expect(longest).toBeLessThan(128 * 1024);
  });

  describe('run', () => {
    const script = (text: string): void => {
      writeFileSync(join(image, 'runscript'), text);
      chmodSync(join(image, 'runscript'), 0o755);
    };

    it('starts the runscript with the arguments', () => {
      script('#!/bin/sh\necho "run $# $2"\nexit 7\n');
      const result = start(shell, ['a', 'b c'], { options: { verb: 'run' } });
      expect(result).toMatchObject({ status: 7, stdout: 'run 2 b c\n', stderr: '' });
    });

    it('without one starts /bin/sh with a message', () => {
      const result = start(shell, ['-c', 'exit 3'], { options: { verb: 'run' } });
      expect(result).toMatchObject({
        status: 3,
        stderr: 'INFO:    No runscript found in container, executing /bin/sh\n',
      });
    });

    it('of an app that is not there ends with 1', () => {
      const result = start(shell, [], { options: { verb: 'run', app: 'nope' } });
      expect(result).toMatchObject({ status: 1 });
      expect(result.stderr).toContain('Could not locate the container application: nope');
    });
  });

  it('shell prefers the wanted interpreter and falls back to what the image has', () => {
    const options = (path: string): Run => ({ options: { verb: 'shell', shell: path } });
    expect(start(shell, ['-c', 'exit 4'], options('/bin/sh')).status).toBe(4);
    expect(start(shell, ['-c', 'exit 5'], options('/bin/nope')).status).toBe(5);
  });

  it('shell says which one it is', () => {
    const wanted: Run = { options: { verb: 'shell', shell: '/bin/sh' }, host: ['SHELL=/bin/zsh'] };
    expect(start(shell, ['-c', 'echo $SHELL'], wanted).stdout).toBe('/bin/sh\n');
    const other: Run = { options: { verb: 'shell' }, host: ['SHELL=/bin/zsh'] };
    expect(start(shell, ['-c', 'echo $SHELL'], other).stdout).toBe('/bin/bash\n');
  });

  it('test without a script says so and ends with 0', () => {
    const result = start(shell, [], { options: { verb: 'test' } });
    expect(result).toMatchObject({
      status: 0,
      stderr: 'INFO:    No test script found in container, exiting\n',
    });
  });
});

describe('payload of exec', () => {
  it('needs no shell unless the image or an injected value asks for one', () => {
    expect(payloadOf(['true'], {}).scriptWhen.kind).toBe('image_sets_environment');
    const active = { options: { variables: [{ name: 'A', value: '$B' }] } };
    expect(payloadOf(['true'], active).scriptWhen.kind).toBe('always');
  });

  it('sees the same variables with and without a shell', () => {
    const run: Run = {
      host: [
        'A=1',
        'TERM=dumb',
        'LANG=C',
        'SINGULARITYENV_PREPEND_PATH=/p',
        'SINGULARITYENV_LD_LIBRARY_PATH=/l',
        'BASH_FUNC_f%%=() { :; }',
      ],
    };
    const plain = payloadOf(['env'], run).exec?.env ?? [];
    const lines = start(['/bin/sh'], ['env'], run)
      .stdout.split(image)
      .join('/.singularity.d')
      .trimEnd()
      .split('\n');
    expect(lines.filter((line) => !line.startsWith('PWD=')).sort()).toEqual([...plain].sort());
  });
});
